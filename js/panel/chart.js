// The best score against its cost, drawn.
import { bestSoFar, expectation, linePath, scale, stepPath } from "./curve.js";
import { make, set } from "./dom.js";
import { isJudged } from "./search.js";
import { say, sayCount } from "../words.js";

const SIZE = [240, 96, 5]; // width, height, margin
const SVG = "http://www.w3.org/2000/svg";

// { root, show(search) }
export function createChart() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${SIZE[0]} ${SIZE[1]}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const [expected, found] = ["ns-expected", "ns-found"].map((name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
    return path;
  });
  const dot = make("i", "ns-dot"), last = make("span");
  const legend = make("span", "ns-legend", { textContent: say("by chance"), title: say("The best of as many random noises, from mean and spread of the random ones so far") });
  const root = make("div", "ns-chart", {}, make("div", "ns-plot", {}, svg, dot), make("div", "ns-axis", {}, legend, last));
  return { root, show: (search) => show({ root, expected, found, dot, legend, last }, search) };
}

function show(chart, search) {
  const found = isJudged(search) && search.pictures > 1 ? bestSoFar(search.candidates) : [];
  chart.root.toggleAttribute("hidden", !found.length);
  if (!found.length) return;
  const expected = expectation(search.candidates, search.pictures);
  const place = scale([found, expected], search.pictures, ...SIZE);
  chart.found.setAttribute("d", stepPath(found, place));
  chart.expected.setAttribute("d", linePath(expected, place));
  const [x, y] = place(found.at(-1));
  chart.dot.style.left = `${100 * x / SIZE[0]}%`;
  chart.dot.style.top = `${100 * y / SIZE[1]}%`;
  chart.legend.hidden = !expected.length;
  set(chart.last, sayCount(search.pictures, "1 picture", "{count} pictures"));
}
