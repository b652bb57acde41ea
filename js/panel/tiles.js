// The round in the making: plain data, as nodes/host/page/tiles.py sends it. Imports only what imports nothing, so Node can test it.
import { isRunning } from "./search.js";

// The round that is being made, or null: its candidates are there already, or the search is over.
export const tilesOf = (search) => (isRunning(search) && search.tiles?.first >= search.candidates.length ? search.tiles : null);

// Takes a message about the round in the making in. Older previews of the same round stay.
export function withTiles(search, { what, first, count, rows, step, steps, pictures }) {
  const fresh = new Set(pictures.map(({ id }) => id));
  const before = search.tiles?.first === first ? search.tiles.pictures.filter(({ id }) => !fresh.has(id)) : [];
  search.tiles = { what, first, count, rows, step, steps, pictures: [...before, ...pictures] };
}

const WORDS = { loading: "Loading the models for", decoding: "Decoding", judging: "Judging" };

// What is being done now, a line.
export function doingText({ what, rows, step, steps }) {
  const those = rows.length === 1 ? "1 picture" : `${rows.length} pictures`;
  return what === "sampling" ? `Sampling ${those}: step ${step} of ${steps}` : `${WORDS[what]} ${those}`;
}

// One per candidate: { id, picture, now, share }; now: something is being done with it, share: of its steps that are done.
export function tileList({ what, first, count, rows, step, steps, pictures }) {
  const seen = new Map(pictures.map(({ id, picture }) => [id, picture])), now = new Set(rows);
  const share = what === "loading" ? 0 : what === "sampling" ? step / steps : 1;
  return Array.from({ length: count }, (_, place) => {
    const id = first + place;
    return { id, picture: seen.get(id) ?? "", now: now.has(id), share: now.has(id) ? share : 0 };
  });
}
