// What is said of a noise in the seed book: plain data, as nodes/host/store/seed_book.py has it. Imports only what imports nothing, so Node can test it.
import { score, seedText } from "../panel/search.js";
import { say, sayCount } from "../words.js";

// { title, facts: [text, …] }
export function describe(noise) {
  const judged = noise.score === null ? "" : `${noise.judge ? `${noise.judge} ` : ""}${score(noise.score)}`;
  const made = noise.made ? day(noise.made) : "";
  return { title: noise.prompt || say("No prompt known"), facts: [judged, seedText(noise.seed), shortModel(noise.model), made].filter(Boolean) };
}

// "2026-11-21", or nothing where that is no time.
function day(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 10);
}

// "models/sdxl/base_1.0.safetensors" -> "base_1.0"
export const shortModel = (model) => model.split(", ").map((file) => file.split(/[\\/]/).at(-1).replace(/\.(safetensors|ckpt|pt|pth|gguf|sft)$/, "")).join(", ");

// A walk along the sampling path is more than a noise: only search nodes can follow it.
export function isWalk({ recipe }) {
  try {
    return JSON.parse(recipe).schedule !== undefined;
  } catch {
    return false;
  }
}

export const counted = (count, query) => (query ? sayCount(count, "1 noise found", "{count} noises found") : sayCount(count, "1 noise", "{count} noises"));
