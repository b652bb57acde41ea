// Room for nodes that are larger than what they take the place of. Imports nothing, so Node can test it.

// How far everything moves so that a box can grow: boxes are [x, y, width, height]. [dx, dy] for each of `others`.
export function moves([x, y, width, height], [wide, high], others, gap) {
  const [more, deeper] = [Math.max(0, wide - width), Math.max(0, high - height)];
  return others.map(([left, top, breadth]) => {
    if (left >= x + width - gap) return [more, 0];
    const below = top >= y + height - gap && left < x + wide + gap && left + breadth > x - gap;
    return [0, below ? deeper : 0];
  });
}
