// A picture as large as the window, over a bar; a click changes between all of it and its own pixels.
import { button, make } from "./dom.js";
import { say } from "../words.js";

// bar: elements below the picture. keyed(event): what a key does. { root, stage, image }
export function openClosely({ bar, keyed, className = "" }) {
  const image = make("img", "", { alt: "", draggable: false });
  const stage = make("div", "np-stage", {}, image);
  const root = make("dialog", `np-zoom ${className}`, { ariaLabel: say("A closer look") }, stage);
  root.append(make("div", "np-bar", {}, ...bar, Object.assign(button("✕", say("Back (Esc)"), () => root.close()), { ariaLabel: say("Back") })));
  stage.addEventListener("click", (event) => scale(stage, image, event));
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // nothing of it is meant for the graph
    keyed(event);
  });
  root.addEventListener("close", () => root.remove());
  document.body.append(root);
  root.showModal();
  root.focus();
  return { root, stage, image };
}

export const fitAgain = ({ stage }) => stage.classList.remove("np-actual");

// A button that says what it does to those who cannot see its sign.
export const signed = (text, label, act) => Object.assign(button(text, label, act), { ariaLabel: label });

// Between all of the picture and its own pixels, around where it was clicked.
function scale(stage, image, event) {
  if (event.target !== image && event.target !== stage) return;
  const { left, top, width, height } = image.getBoundingClientRect();
  const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
  const actual = stage.classList.toggle("np-actual");
  if (actual) stage.scrollTo(x * image.offsetWidth - stage.clientWidth / 2, y * image.offsetHeight - stage.clientHeight / 2);
}
