// The note on top of the page while something waits for the artist out of sight.
import { button, make, set } from "../panel/dom.js";
import { say } from "../words.js";

const sources = [];
const note = { root: null, text: null, go: null, found: null };

// source(): { text, open } of what waits out of sight now, or null; open: leads there, null where nothing can.
export function watchOutOfSight(source) {
  if (!note.root) build();
  sources.push(source);
}

function build() {
  note.text = make("span");
  note.go = button(say("Pick now"), "", () => note.found.open(), "np-go");
  note.root = make("div", "np-note", { role: "status", hidden: true }, make("i", "np-lamp"), note.text, note.go);
  document.body.append(note.root);
}

export function drawNote() {
  note.found = sources.map((source) => source()).find(Boolean) ?? null;
  note.root.hidden = !note.found;
  if (!note.found) return;
  set(note.text, note.found.text);
  note.go.hidden = !note.found.open;
}
