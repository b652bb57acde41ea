// One picture of a gallery as large as the window: to look closely, compare with the next, and mark.
import { button, make, set } from "../panel/dom.js";
import { about, isWaiting, meaning, rankOf, several, shownMarks } from "./state.js";
import { say } from "../words.js";

// actions: picture(pick, place, size), mark(place), use(place). `read()` gives what the gallery shows now.
export function openZoom(read, start, actions) {
  const zoom = { read, actions, place: start };
  zoom.image = make("img", "", { alt: "", draggable: false });
  zoom.stage = make("div", "np-stage", {}, zoom.image);
  zoom.text = make("span", "np-about", { ariaLive: "polite" });
  zoom.mark = button("", say("Space"), () => act(zoom, "mark"));
  zoom.use = button("", say("Enter"), () => act(zoom, "use"), "np-go");
  const step = (text, label, what) => Object.assign(button(text, label, () => act(zoom, what)), { ariaLabel: label });
  const bar = make("div", "np-bar", {}, step("‹", say("The one before (←)"), "previous"), step("›", say("The next one (→)"), "next"),
    zoom.text, zoom.mark, zoom.use, Object.assign(button("✕", say("Back (Esc)"), () => zoom.root.close()), { ariaLabel: say("Back") }));
  zoom.root = make("dialog", "np-zoom", { ariaLabel: say("A closer look") }, zoom.stage, bar);
  zoom.stage.addEventListener("click", (event) => scale(zoom, event));
  zoom.root.addEventListener("keydown", (event) => keyed(zoom, event));
  zoom.root.addEventListener("close", () => zoom.root.remove());
  document.body.append(zoom.root);
  zoom.root.showModal();
  zoom.root.focus();
  draw(zoom);
  return { root: zoom.root, draw: () => draw(zoom), close: () => zoom.root.close() };
}

function draw(zoom) {
  const shown = zoom.read(), { pick } = shown;
  const marks = shownMarks(pick, shown.marks, shown.fixed), rank = rankOf(marks, zoom.place);
  const address = zoom.actions.picture(pick, zoom.place, "large");
  if (zoom.image.getAttribute("src") !== address) zoom.image.src = address;
  zoom.image.alt = about(pick, zoom.place).join(", ");
  set(zoom.text, about(pick, zoom.place).join(" · "));
  set(zoom.mark, rank ? (marks.length > 1 ? say("Take back rank {rank}", { rank }) : say("Take back the mark")) : say("Mark"));
  set(zoom.use, say("Use {pictures}", { pictures: several(marks.length ? marks : [zoom.place]) }));
  zoom.use.hidden = zoom.mark.hidden = !isWaiting(pick) && pick.status !== "picked";
  zoom.use.hidden ||= !isWaiting(pick) && !shown.marks.length;
  zoom.root.classList.toggle("np-marked", rank > 0);
}

function act(zoom, what) {
  const { count } = zoom.read().pick;
  if (what === "mark") zoom.actions.mark(zoom.place);
  else if (what === "use") {
    zoom.root.close();
    zoom.actions.use(zoom.place);
  } else {
    zoom.place = (zoom.place + (what === "next" ? 1 : count - 1)) % count;
    zoom.stage.classList.remove("np-actual");
  }
  if (zoom.root.open) draw(zoom);
}

// Between all of the picture and its own pixels, around where it was clicked.
function scale(zoom, event) {
  const { left, top, width, height } = zoom.image.getBoundingClientRect();
  const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
  const actual = zoom.stage.classList.toggle("np-actual");
  if (actual) zoom.stage.scrollTo(x * zoom.image.offsetWidth - zoom.stage.clientWidth / 2, y * zoom.image.offsetHeight - zoom.stage.clientHeight / 2);
}

function keyed(zoom, event) {
  event.stopPropagation(); // nothing of it is meant for the graph
  const what = meaning(event.key, true);
  if (!what || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("button") && (what === "mark" || what === "use")) return; // presses that button
  event.preventDefault();
  act(zoom, what);
}
