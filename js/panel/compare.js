// Two pictures over each other, with a line to drag between them.
import { make, set } from "./dom.js";
import { isRunning, nameOf, numberOf, resultOf } from "./search.js";
import { isWaiting } from "./waits.js";
import { say } from "../words.js";

export function buildCompare(view) {
  view.left = make("img", "ns-left", { alt: "", draggable: false });
  view.right = make("img", "ns-right", { alt: "", draggable: false });
  view.leftName = make("span", "ns-name ns-left-name");
  view.rightName = make("span", "ns-name ns-right-name");
  view.slider = make("input", "ns-slider", { type: "range", min: 0, max: 100, value: 25, ariaLabel: say("Compare: left is the pinned or the first picture, right the best or the selected one") });
  view.compare = make("div", "ns-compare", {}, view.left, view.right, make("div", "ns-cut"), view.slider, view.leftName, view.rightName);
  view.slider.addEventListener("input", () => view.compare.style.setProperty("--cut", `${view.slider.value}%`));
}

// Left what is pinned, the last one, or else the first picture; right what the artist looks at: the chosen, the focused or the best one. Of a held noise: the last picture, and this one.
export function drawCompare(view) {
  const { search } = view;
  if (!search.candidates.length) return;
  if (search.pictures === 1 && view.before) return drawHeld(view);
  const looked = isWaiting(search) ? view.hovered : -1; // a click sends it: it is seen before
  const right = [looked, view.chosen, view.focused, resultOf(search), 0].find((id) => id >= 0);
  const left = [search.pinned.at(-1) ?? 0, 0].find((id) => id !== right && search.candidates[id]) ?? 0;
  view.compare.classList.toggle("ns-single", right === left);
  source(view, view.left, left);
  source(view, view.right, right);
  set(view.leftName, right === left ? "" : left ? say("pinned #{id}", { id: numberOf(left) }) : nameOf(search.candidates[0]));
  set(view.rightName, right === 0 ? nameOf(search.candidates[0]) : whatIs(view, right));
}

function whatIs({ search, chosen }, id) {
  const shown = { id: numberOf(id) };
  if (id === chosen) return say("chosen #{id}", shown);
  if (id !== resultOf(search)) return say("selected #{id}", shown);
  if (isWaiting(search)) return say("best #{id}", shown);
  return isRunning(search) ? say("best so far #{id}", shown) : say("result #{id}", shown);
}

function drawHeld(view) {
  view.compare.classList.remove("ns-single");
  if (view.left.getAttribute("src") !== view.before) view.left.src = view.before;
  source(view, view.right, 0);
  set(view.leftName, say("before"));
  set(view.rightName, say("now"));
}

function source({ search, actions }, image, id) {
  const address = search.candidates[id].picture ? actions.picture(id, "large") : "";
  if (image.getAttribute("src") !== address) image.src = address;
}
