// What a sheet shows and what is known of each picture. Imports nothing of the page, so Node can test it.
import { say } from "../words.js";

const SHORT = 4; // digits of a score

// [row, column] of a place; places count row by row.
export const whereIs = (sheet, place) => [Math.floor(place / sheet.across), place % sheet.across];

export const rowsOf = (sheet) => Math.ceil(sheet.cells.length / sheet.across);

// The labels of a picture, or where it is.
export function namesOf(sheet, place) {
  const [row, column] = whereIs(sheet, place);
  return [sheet.rows[row] || say("row {number}", { number: row + 1 }), sheet.columns[column] || say("column {number}", { number: column + 1 })];
}

// What a click copies as labels.
export const labelsText = (sheet, place) => namesOf(sheet, place).join("\n");

export const short = (value) => String(Number(value.toPrecision(SHORT)));

// What a picture is the best of, in words.
export function honours({ best }) {
  const words = { all: say("best of all"), row: say("best of its row"), column: say("best of its column") };
  return best.map((what) => words[what]);
}

// Everything known of one picture, a line each.
export function about(sheet, place) {
  const cell = sheet.cells[place], [width, height] = cell.size;
  const found = [...namesOf(sheet, place), `${width} × ${height}`];
  if (cell.frames > 1) found.push(say("{count} frames", { count: cell.frames }));
  if (cell.score !== null) found.push(say("score {score}", { score: short(cell.score) }), ...honours(cell));
  if (cell.seed && !namesOf(sheet, place).includes(cell.seed)) found.push(say("seed {seed}", { seed: cell.seed }));
  return found;
}

// Height by width of a cell that every picture fits into as large as it can be.
export const shapeOf = (sheet) => Math.max(...sheet.cells.map(({ size: [width, height] }) => height / width));

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// The place that a key goes to, or null if it is not one that moves. At an edge it stays.
export function neighbour(sheet, place, key) {
  if (key === "Home") return 0;
  if (key === "End") return sheet.cells.length - 1;
  if (!STEPS[key]) return null;
  const [row, column] = whereIs(sheet, place), [down, right] = STEPS[key];
  const next = [row + down, column + right];
  const inside = next[0] >= 0 && next[0] < rowsOf(sheet) && next[1] >= 0 && next[1] < sheet.across;
  return inside ? next[0] * sheet.across + next[1] : place;
}

// The last sheet that a node gave, by what the server remembers of runs of a workflow, newest last; null where there is none.
export function lastOf(history, workflow, node) {
  const runs = Object.values(history).filter(({ prompt }) => prompt?.[3]?.extra_pnginfo?.workflow?.id === workflow);
  return runs.map(({ outputs }) => outputs?.[node]?.noise_search_sheet?.[0]).filter(Boolean).at(-1) ?? null;
}
