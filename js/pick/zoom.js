// One picture of a gallery as large as the window: to look closely, compare with the next, and mark.
import { button, make, set } from "../panel/dom.js";
import { fitAgain, openClosely, signed } from "../panel/closely.js";
import { about, isWaiting, meaning, rankOf, several, shownMarks } from "./state.js";
import { say } from "../words.js";

// actions: picture(pick, place, size), mark(place), use(place). `read()` gives what the gallery shows now.
export function openZoom(read, start, actions) {
  const zoom = { read, actions, place: start };
  zoom.text = make("span", "np-about", { ariaLive: "polite" });
  zoom.mark = button("", say("Space"), () => act(zoom, "mark"));
  zoom.use = button("", say("Enter"), () => act(zoom, "use"), "np-go");
  const bar = [signed("‹", say("The one before (←)"), () => act(zoom, "previous")), signed("›", say("The next one (→)"), () => act(zoom, "next")),
    zoom.text, zoom.mark, zoom.use];
  Object.assign(zoom, openClosely({ bar, keyed: (event) => keyed(zoom, event) }));
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
    fitAgain(zoom);
  }
  if (zoom.root.open) draw(zoom);
}

function keyed(zoom, event) {
  const what = meaning(event.key, true);
  if (!what || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("button") && (what === "mark" || what === "use")) return; // presses that button
  event.preventDefault();
  act(zoom, what);
}
