// The best score against its cost, and what as many random noises would have given. Imports nothing, so Node can test it.

const INDEPENDENT = new Set(["own seed", "start", "random"]);
const ENOUGH = 4; // independent scores from which an expectation is worth drawing

// [[cost in pictures, best score so far], …], one point per improvement and the last one.
export function bestSoFar(candidates) {
  const points = [];
  let cost = 0, best = -Infinity;
  for (const candidate of candidates) {
    cost += candidate.cost;
    if (candidate.finished && candidate.score > best) points.push([cost, best = candidate.score]);
  }
  if (points.length && points.at(-1)[0] < cost) points.push([cost, best]);
  return points;
}

// Expected best of n random noises, n = 1 … pictures, from mean and spread of the independent scores so far, taken as normal; [] while they are few, and
// where there are no others: what was found is itself by chance then.
export function expectation(candidates, pictures) {
  if (candidates.every(({ how }) => INDEPENDENT.has(how))) return [];
  const scores = candidates.filter(({ how, finished }) => finished && INDEPENDENT.has(how)).map(({ score }) => score);
  if (scores.length < ENOUGH) return [];
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const spread = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / (scores.length - 1));
  return steps(pictures).map((n) => [n, mean + spread * expectedMaximum(n)]);
}

// Of n standard normal draws. Blom, Statistical Estimates and Transformed Beta-Variables, 1958; within 0.03 for every n.
export const expectedMaximum = (n) => quantile((n - 0.375) / (n + 0.25));

// 1 … pictures, thinned where there are many.
function steps(pictures) {
  const found = [];
  for (let n = 1; n < pictures; n = Math.max(n + 1, Math.round(n * 1.08))) found.push(n);
  return [...found, pictures];
}

// Of the standard normal distribution, by Newton's method on the error function's series; p in (0, 1).
export function quantile(p) {
  if (p < 0.5) return -quantile(1 - p);
  let x = Math.sqrt(Math.max(0, -2 * Math.log(2 * (1 - p)))) * 0.8;
  for (let round = 0; round < 30; round++) {
    const step = (upperTail(x) - (1 - p)) / (Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI));
    x += Math.max(-1, Math.min(1, step));
    if (Math.abs(step) < 1e-9) break;
  }
  return x;
}

function upperTail(x) {
  if (x > 3) { // continued fraction
    let rest = x;
    for (let k = 60; k; k--) rest = x + k / rest;
    return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) / rest;
  }
  let term = x, sum = x;
  for (let k = 1; Math.abs(term) > 1e-17 && k < 200; k++) sum += term *= x * x / (2 * k + 1);
  return 0.5 - sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

// Maps data to a box of width x height with a margin; y grows upward in the data and downward on the screen.
export function scale(lines, pictures, width, height, margin) {
  const values = lines.flat().map(([, value]) => value);
  const low = Math.min(...values), high = Math.max(...values), range = high - low || 1;
  return ([cost, value]) => [margin + (width - 2 * margin) * cost / pictures, height - margin - (height - 2 * margin) * (value - low) / range];
}

// SVG paths: what was found as steps, what is expected as a line.
export function stepPath(points, place) {
  return points.map((point, index) => {
    const [x, y] = place(point);
    return index ? `H${round(x)}V${round(y)}` : `M${round(x)} ${round(y)}`;
  }).join("");
}

export const linePath = (points, place) => points.map((point, index) => `${index ? "L" : "M"}${place(point).map(round).join(" ")}`).join("");

const round = (value) => Math.round(value * 10) / 10;
