// Where the cells of a scrolled grid are, so that only those in sight exist. Imports nothing, so Node can test it.

// Square cells of about `wanted` pixels that fill the width.
export function layout(width, count, wanted, gap) {
  const columns = Math.max(1, Math.floor((width + gap) / (wanted + gap)));
  const side = Math.max(1, (width + gap) / columns - gap);
  const rows = Math.ceil(count / columns);
  return { columns, side, gap, count, height: Math.max(0, rows * (side + gap) - gap) };
}

// The side of squares, as large as they can be, of which so many fit into a box.
export function fitting(width, height, count, gap) {
  let best = 1;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    best = Math.max(best, Math.min((width + gap) / columns, (height + gap) / rows) - gap);
  }
  return Math.floor(best);
}

// First and one past the last index in sight, a row more on both sides.
export function inSight({ columns, side, gap, count }, top, height) {
  const first = Math.max(0, Math.floor(top / (side + gap)) - 1);
  const last = Math.ceil((top + height) / (side + gap)) + 1;
  return [Math.min(count, first * columns), Math.min(count, last * columns)];
}

export const placeOf = ({ columns, side, gap }, index) => [(index % columns) * (side + gap), Math.floor(index / columns) * (side + gap)];

// The scroll position that brings a cell into sight with the least movement.
export function scrolledTo(grid, index, top, height) {
  const y = placeOf(grid, index)[1];
  return Math.min(Math.max(top, y + grid.side - height), y);
}

// The index that a key of the keyboard goes to, or null if it is not one that moves.
export function moved(key, index, { columns, count }) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in steps)) return null;
  const next = index + steps[key];
  return next < 0 || next >= count ? index : next;
}
