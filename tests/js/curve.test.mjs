// The best score against its cost, and what is expected by chance: js/panel/curve.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bestSoFar, expectation, expectedMaximum, linePath, quantile, scale, stepPath } from "../../js/panel/curve.js";

const tried = (scores, more = {}) => scores.map((score) => ({ score, cost: 1, finished: true, how: "random", ...more }));
const near = (value, expected, tolerance) => assert.ok(Math.abs(value - expected) <= tolerance, `${value} is not ${expected}`);

test("the curve has a point for every improvement, and reaches to the last picture", () => {
  assert.deepEqual(bestSoFar(tried([1, 3, 2, 4, 0])), [[1, 1], [2, 3], [4, 4], [5, 4]]);
  assert.deepEqual(bestSoFar([]), []);
});

test("drafts cost their part and are never the best", () => {
  const drafts = tried([9, 9], { cost: 0.25, finished: false });
  assert.deepEqual(bestSoFar([...drafts, ...tried([1])]), [[1.5, 1]]);
});

test("the quantiles of the normal distribution are those of the tables", () => {
  for (const [p, z] of [[0.5, 0], [0.8413447460685429, 1], [0.975, 1.959963984540054], [0.999, 3.090232306167813], [0.999999, 4.753424308822899], [0.025, -1.959963984540054]]) {
    near(quantile(p), z, 1e-6);
  }
});

test("the expected maximum of n normal draws is that of the order statistics", () => {
  for (const [n, expected] of [[1, 0], [2, 0.5642], [5, 1.163], [10, 1.5388], [100, 2.5076], [1000, 3.2414]]) near(expectedMaximum(n), expected, 0.03);
});

test("the expectation starts at the mean of the random noises and grows with the pictures", () => {
  const line = expectation([...tried([1, 2, 3, 4]), ...tried([9], { how: "refined" })], 50);
  near(line[0][1], 2.5, 1e-9);
  assert.deepEqual([line[0][0], line.at(-1)[0]], [1, 50]);
  assert.ok(line.every(([, value], index) => !index || value > line[index - 1][1]));
});

test("only independent pictures count for it, and few are not enough", () => {
  const line = expectation([...tried([1, 2, 3, 4]), ...tried([100], { how: "neighbor" }), ...tried([100], { finished: false })], 4);
  near(line[0][1], 2.5, 1e-9);
  assert.deepEqual(expectation([...tried([1, 2, 3]), ...tried([9], { how: "refined" })], 50), []);
  assert.deepEqual(expectation(tried([1, 2, 3, 4, 5]), 50), [], "a random search is by chance itself");
});

test("a hundred thousand pictures do not make a hundred thousand points", () => {
  const many = expectation([...tried([1, 2, 3, 4]), ...tried([9], { how: "refined" })], 100000).length;
  assert.ok(many > 10 && many < 200);
});

test("lines fill their box from corner to corner, also where all scores are equal", () => {
  const line = [[0, 1], [10, 3]];
  assert.equal(linePath(line, scale([line], 10, 100, 50, 5)), "M5 45L95 5");
  assert.equal(stepPath(line, scale([line], 10, 100, 50, 5)), "M5 45H95V5");
  assert.doesNotMatch(stepPath([[1, 2], [2, 2]], scale([[[1, 2], [2, 2]]], 2, 100, 50, 5)), /NaN|Infinity/);
});
