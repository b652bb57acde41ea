// Which cells of the grid are in sight: js/panel/grid.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fitting, inSight, layout, moved, placeOf, scrolledTo } from "../../js/panel/grid.js";

test("the cells fill the width, however wide the node is", () => {
  for (const width of [50, 200, 333, 1400]) {
    const { columns, side, gap } = layout(width, 500, 72, 4);
    assert.ok(Math.abs(columns * (side + gap) - gap - width) < 1e-9);
    assert.ok(columns === 1 || side >= 72);
  }
});

test("whatever is scrolled to, all that can be seen exists and little else", () => {
  const grid = layout(300, 500, 72, 4);
  for (let top = 0; top <= grid.height - 160; top += 37) {
    const [first, last] = inSight(grid, top, 160);
    assert.ok(last - first <= grid.columns * 6);
    for (let index = 0; index < 500; index++) {
      const y = placeOf(grid, index)[1];
      if (y + grid.side > top && y < top + 160) assert.ok(index >= first && index < last);
    }
  }
});

test("an empty grid and a last row that is not full are no trouble", () => {
  assert.deepEqual(inSight(layout(300, 0, 72, 4), 0, 160), [0, 0]);
  assert.equal(layout(300, 0, 72, 4).height, 0);
  assert.equal(inSight(layout(300, 7, 72, 4), 0, 1000)[1], 7);
});

test("keys move to the neighbors and stay inside", () => {
  const grid = { columns: 4, count: 10 };
  assert.deepEqual(["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End"].map((key) => moved(key, 5, grid)), [6, 4, 9, 1, 0, 9]);
  assert.deepEqual([moved("ArrowDown", 8, grid), moved("ArrowUp", 2, grid), moved("ArrowRight", 9, grid)], [8, 2, 9]);
  assert.equal(moved("a", 5, grid), null);
});

test("a key never leaves the picture out of sight", () => {
  const grid = layout(300, 500, 72, 4);
  for (const index of [0, 3, 9, 100, 499]) {
    const top = scrolledTo(grid, index, 1000, 160);
    const y = placeOf(grid, index)[1];
    assert.ok(y >= top && y + grid.side <= top + 160);
  }
});

test("squares that fill a box all fit into it, and none larger would", () => {
  for (const [width, height, count] of [[380, 420, 8], [380, 420, 1], [380, 420, 64], [900, 200, 5]]) {
    const side = fitting(width, height, count, 4), fits = (one) => Math.floor((width + 4) / (one + 4)) * Math.floor((height + 4) / (one + 4)) >= count;
    assert.ok(fits(side) && !fits(side + 2), `${side}`);
  }
});
