// The pictures in the making, each a tile that sharpens; before the others, and as large as there is room while there are none.
import { make, set } from "./dom.js";
import { fitting } from "./grid.js";
import { numberOf } from "./search.js";
import { afterText } from "./states.js";
import { doingText, tileList, tilesOf } from "./tiles.js";
import { say } from "../words.js";

// view.layout: of the cells below, whose size the tiles take. Their height, which the cells begin at.
export function drawMaking(view, gap) {
  const { search, making } = view;
  const tiles = tilesOf(search);
  making.hidden = !tiles;
  if (!tiles) return drop(making);
  const alone = !search.candidates.length;
  const side = alone ? fitting(view.scroller.clientWidth, view.scroller.clientHeight, tiles.count, gap) : view.layout.side;
  const width = `${side}px`;
  if (making.style.getPropertyValue("--side") !== width) making.style.setProperty("--side", width);
  const key = `${search.search} ${tiles.first} ${tiles.count}`;
  if (making.dataset.key !== key) build(making, tiles, key);
  for (const [place, tile] of tileList(tiles).entries()) drawTile(making.children[place], tile, tiles);
  for (const { id, picture } of tiles.pictures) view.previews.set(id, picture);
  const columns = Math.max(1, Math.floor((view.scroller.clientWidth + gap) / (side + gap)));
  return Math.ceil(tiles.count / columns) * (side + gap);
}

function drop(making) {
  delete making.dataset.key;
  making.replaceChildren();
  return 0;
}

function build(making, { first, count }, key) {
  making.dataset.key = key;
  making.replaceChildren(...Array.from({ length: count }, (_, place) => {
    const tile = make("div", "ns-tile", { role: "img" }, make("span", "ns-mark", { textContent: `#${numberOf(first + place)}` }), make("i"));
    tile.dataset.id = first + place;
    return tile;
  }));
}

// The picture lies before the texts once there is one.
function drawTile(tile, { id, picture, what, now, share }, tiles) {
  tile.classList.toggle("ns-now", now);
  const label = `#${numberOf(id)}, ${now ? doingText({ ...tiles, what, rows: [id], judged: 0 }).toLowerCase() : say("waits for its turn")}`;
  if (tile.ariaLabel !== label) tile.ariaLabel = label;
  tile.lastElementChild.style.width = `${100 * share}%`;
  if (!picture) return;
  if (tile.firstElementChild.tagName !== "IMG") tile.prepend(make("img", "", { alt: "", draggable: false, decoding: "async" }));
  if (tile.firstElementChild.src !== picture) tile.firstElementChild.src = picture;
}

// The line below the bar: what is being done, or what became of a search that ended early.
export function drawDoing({ search, doing }) {
  const tiles = tilesOf(search), text = tiles ? doingText(tiles) : afterText(search);
  doing.hidden = !text;
  set(doing, text);
}
