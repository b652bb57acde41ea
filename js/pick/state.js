// What a gallery shows and what may be done with it. Imports nothing of the page, so Node can test it.
import { typedInto } from "../panel/wiring.js";
import { say, sayCount } from "../words.js";

// Of two states of one node's galleries, the one to show: events may arrive late or twice. In a loop several of one run may wait at the same time:
// one that waits goes before one that was answered.
export function newer(present, update) {
  if (!present) return update;
  const ofLoop = update.number !== present.number && update.prompt_id === present.prompt_id && update.prompt_id;
  if (ofLoop && isWaiting(update) !== isWaiting(present)) return isWaiting(update) ? update : present;
  if (update.number !== present.number) return update.number > present.number ? update : present;
  return update.version > present.version ? update : present;
}

export const isWaiting = (pick) => pick?.status === "waiting";

// Marks are places in the order of clicking; a second click takes one back, and the later ones move up.
export const toggled = (marks, place) => (marks.includes(place) ? marks.filter((one) => one !== place) : [...marks, place]);

export const rankOf = (marks, place) => marks.indexOf(place) + 1; // 0: not marked

export const names = (places) => places.map((place) => `#${place + 1}`).join(", ");

export const several = (places) => (places.length > 3 ? sayCount(places.length, "1 picture", "{count} pictures") : names(places));

// The widget that holds the choice of a node, if the page shows the node and nothing else gives the choice.
export const choiceOf = (node, root) => node && typedInto(node, "choice", root);

// As nodes/host/page/choice.py writes it.
export const choiceText = (roll, places) => [roll ? `roll ${roll}:` : "", places.map((place) => place + 1).join(", ")].filter(Boolean).join(" ");

// { roll, picked } of such a text, or null where it is empty or none.
export function readChoice(text) {
  const found = /^\s*(?:roll\s+(\d+)\s*:)?([\d\s,;]+)$/i.exec(text ?? "");
  const picked = found ? found[2].match(/\d+/g)?.map((number) => Number(number) - 1) : null;
  return picked?.length ? { roll: Number(found[1] ?? 0), picked } : null;
}

// What is picked as far as the page knows: marks of the artist, else the answer, else the fixed choice.
export function shownMarks(pick, marks, fixed) {
  if (!pick || marks.length || isWaiting(pick)) return marks;
  return fixed ? (fixed.roll === pick.roll ? fixed.picked : []) : pick.picked;
}

const because = (why) => ({ timeout: say("nobody answered in time."), closed: say("the page was closed."), left: say("as you wished.") })[why];

export function headline(pick, fixed) {
  if (fixed && !isWaiting(pick)) return fixedText({ pictures: several(fixed.picked), roll: fixed.roll });
  if (!pick) return "";
  if (pick.status === "waiting" && !pick.mine) return say("Another page's pictures");
  if (pick.status === "waiting") return [pick.count > 1 ? say("Pick the best") : say("Keep it?"), pick.roll && say("roll {roll}", pick)].filter(Boolean).join(" · ");
  if (pick.status === "rolled") return say("Rolling again…");
  if (pick.status === "cancelled") return say("Cancelled");
  const pictures = several(pick.picked);
  return {
    artist: say("You picked {pictures}", { pictures }), verifier: say("The verifier picked {pictures}", { pictures }),
    scores: say("Best score: {pictures}", { pictures }), first: say("The first went on: {pictures}", { pictures }),
  }[pick.by];
}

const fixedText = (what) => (what.roll ? say("Fixed: {pictures} of roll {roll}", what) : say("Fixed: {pictures}", what));

export function hint(pick, marks, fixed, seconds) {
  if (fixed && !marks.length && !isWaiting(pick)) return say("These go on, and you are not asked.");
  if (!pick) return say("Queue, and the run stops here for you to pick from the pictures.");
  if (isWaiting(pick) && !pick.mine) return say("The page that queued them is closed. Take over to pick.");
  if (pick.status === "rolled") return say("The new pictures show up here.");
  if (pick.status === "cancelled") return say("Nothing was picked.");
  if (pick.status === "picked") {
    if (marks.length) return say("The same run again, with these.");
    return because(pick.why) ?? say("Click others to change your mind.");
  }
  const click = pick.count > 1 ? say("Click one, or several in order.") : say("Click it.");
  return `${click} ${seconds === null ? say("The run waits.") : goesOn(pick, clock(seconds))}`;
}

function goesOn({ fallback: [by, ...places] }, time) {
  const what = { time, pictures: names(places) };
  if (by === "verifier") return say("In {time} the verifier's {pictures} goes on.", what);
  return by === "scores" ? say("In {time} the best score, {pictures} goes on.", what) : say("In {time} the first, {pictures} goes on.", what);
}

// What the button says that answers as nobody's answer would.
export function leaving({ fallback: [by, ...places] }) {
  const pictures = names(places);
  if (by === "verifier") return say("Take the verifier's {pictures}", { pictures });
  return by === "scores" ? say("Take the best score {pictures}", { pictures }) : say("Take the first {pictures}", { pictures });
}

export function clock(seconds) {
  const rest = Math.max(0, Math.ceil(seconds)), hours = Math.floor(rest / 3600);
  const two = (number) => String(number).padStart(2, "0");
  return `${hours ? `${hours}:${two(Math.floor(rest / 60) % 60)}` : Math.floor(rest / 60)}:${two(rest % 60)}`;
}

// Which of a choice's pictures a tile shows: a video moves.
export const kindOf = (pick, place, large) => (pick.frames[place] > 1 ? "moving" : large ? "large" : "small");

// The place of the best score, or -1 without scores.
export const bestOf = (pick) => (pick.scores.length ? pick.scores.indexOf(Math.max(...pick.scores)) : -1);

// Everything known of one picture, a line each.
export function about(pick, place) {
  const [width, height] = pick.sizes[place];
  const found = [say("#{place} of {count}", { place: place + 1, count: pick.count }), `${width} × ${height}`];
  if (pick.frames[place] > 1) found.push(say("{count} frames", { count: pick.frames[place] }));
  if (pick.scores.length) found.push(say("score {score}", { score: short(pick.scores[place]) }));
  if (pick.columns.length > 1) pick.columns.forEach((name, index) => found.push(`${name} ${short(pick.values[place][index])}`));
  if (pick.seeds.length) found.push(say("seed {seed}", { seed: pick.seeds[place] }));
  return found;
}

export const short = (value) => String(Number(value.toPrecision(4)));

// [columns, width of a tile] that make tiles of this shape (height / width) as large as they can be: without scrolling where that leaves
// them at least `least` pixels wide.
export function layout(width, height, count, shape, gap, least) {
  let best = [0, 0];
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const tile = Math.min((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows / shape);
    if (tile > best[1]) best = [columns, tile];
  }
  if (best[1] >= least) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((width + gap) / (least + gap))));
  return [columns, (width - gap * (columns - 1)) / columns];
}

// What a key means, or null: the keys of the grid, and of the large view.
export function meaning(key, large) {
  if (key === " ") return "mark";
  if (key === "Enter") return "use";
  if (large) return { ArrowRight: "next", ArrowDown: "next", ArrowLeft: "previous", ArrowUp: "previous" }[key] ?? null;
  return key === "z" || key === "Z" ? "zoom" : null;
}
