// The round in the making: plain data, as nodes/host/page/tiles.py sends it. Imports only what imports nothing, so Node can test it.
import { isRunning } from "./search.js";
import { sayCount } from "../words.js";

// The round that is being made, or null: its candidates are there already, or the search is over.
export const tilesOf = (search) => (isRunning(search) && search.tiles?.first >= search.candidates.length ? search.tiles : null);

// Takes a message about the round in the making in. Older previews of the same round stay.
export function withTiles(search, { what, first, count, judged, rows, step, steps, pictures }) {
  const fresh = new Set(pictures.map(({ id }) => id));
  const before = search.tiles?.first === first ? search.tiles.pictures.filter(({ id }) => !fresh.has(id)) : [];
  search.tiles = { what, first, count, judged, rows, step, steps, pictures: [...before, ...pictures] };
}

// What is being done now, a line.
export function doingText({ judged, ...now }) {
  return [partText(now), ...(judged ? [partText({ what: "judging", rows: { length: judged } })] : [])].join(" · ");
}

function partText({ what, rows, step, steps }) {
  const count = rows.length;
  if (what === "sampling") return sayCount(count, "Sampling 1 picture: step {step} of {steps}", "Sampling {count} pictures: step {step} of {steps}", { step, steps });
  if (what === "loading") return sayCount(count, "Loading the models for 1 picture", "Loading the models for {count} pictures");
  return what === "decoding" ? sayCount(count, "Decoding 1 picture", "Decoding {count} pictures") : sayCount(count, "Judging 1 picture", "Judging {count} pictures");
}

// One per candidate: { id, picture, now, share, what }; now: something is being done with it, share: of its steps that are done.
export function tileList({ what, first, count, judged, rows, step, steps, pictures }) {
  const seen = new Map(pictures.map(({ id, picture }) => [id, picture])), now = new Set(rows);
  const share = what === "loading" ? 0 : what === "sampling" ? step / steps : 1;
  return Array.from({ length: count }, (_, place) => {
    const id = first + place;
    const tile = { id, picture: seen.get(id) ?? "", what, now: now.has(id), share: now.has(id) ? share : 0 };
    return place < judged ? { ...tile, what: "judging", now: true, share: 1 } : tile;
  });
}
