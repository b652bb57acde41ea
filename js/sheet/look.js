// One picture of a sheet as large as the window, with its labels; or two of them over each other, with a line to drag.
import { fitAgain, openClosely, signed } from "../panel/closely.js";
import { buildCompare } from "../panel/compare.js";
import { button, make, set } from "../panel/dom.js";
import { about, namesOf, neighbour } from "./table.js";
import { say } from "../words.js";

// actions: address(file), copySeed(place), copyLabels(place), hold(place), which gives the place that is held then. closed(place): where it was left.
export function openLook(sheet, start, held, { actions, closed }) {
  const look = { sheet, actions, held, place: start };
  look.text = make("span", "np-about", { ariaLive: "polite" });
  look.hold = button("", say("Then go to any other picture: the line between them can be dragged (X)"), () => hold(look));
  look.seed = button(say("Copy seed"), "", () => actions.copySeed(look.place));
  look.labels = button(say("Copy labels"), "", () => actions.copyLabels(look.place));
  const steps = [["‹", say("To the left (←)"), "ArrowLeft"], ["›", say("To the right (→)"), "ArrowRight"], ["˄", say("Up (↑)"), "ArrowUp"], ["˅", say("Down (↓)"), "ArrowDown"]];
  look.steps = steps.map(([sign, label, key]) => [signed(sign, label, () => go(look, key)), key]);
  const bar = [...look.steps.map(([step]) => step), look.text, look.hold, look.seed, look.labels];
  Object.assign(look, openClosely({ bar, keyed: (event) => keyed(look, event), className: "nt-look" }));
  buildCompare(look);
  look.slider.value = 50;
  look.compare.style.setProperty("--cut", "50%");
  look.stage.append(look.compare);
  look.root.addEventListener("close", () => closed(look.place));
  draw(look);
}

function draw(look) {
  const { sheet, place, held, actions } = look, both = held >= 0 && held !== place;
  const address = (one) => actions.address(sheet.cells[one].large ?? sheet.cells[one].small);
  look.compare.hidden = !both;
  look.image.hidden = both;
  source(look.image, address(place));
  look.image.alt = about(sheet, place).join(", ");
  if (both) {
    source(look.left, address(held));
    source(look.right, address(place));
    set(look.leftName, namesOf(sheet, held).join(" · "));
    set(look.rightName, namesOf(sheet, place).join(" · "));
  }
  set(look.text, about(sheet, place).join(" · "));
  look.text.title = about(sheet, place).join("\n");
  set(look.hold, held === place ? say("Go to another picture to compare") : held >= 0 ? say("Stop comparing") : say("Compare with…"));
  look.seed.hidden = !sheet.cells[place].seed;
  for (const [step, key] of look.steps) step.disabled = neighbour(sheet, place, key) === place;
}

function source(image, address) {
  if (image.getAttribute("src") !== address) image.src = address;
}

function go(look, key) {
  look.place = neighbour(look.sheet, look.place, key);
  fitAgain(look);
  draw(look);
}

function hold(look) {
  look.held = look.actions.hold(look.held >= 0 ? look.held : look.place);
  draw(look);
}

function keyed(look, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === look.slider) return;
  if (event.key === "x" || event.key === "X") hold(look);
  else if (neighbour(look.sheet, look.place, event.key) !== null) go(look, event.key);
  else return;
  event.preventDefault();
}
