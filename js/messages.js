// What the server and this page say to each other: the same as nodes/host/page/messages.py, which explains every field.
// Plain data that imports nothing, so that Node can test it.
export const EVENTS = {
  "update": "noise_search.update", "tiles": "noise_search.tiles", "pick": "noise_search.pick", "elsewhere": "noise_search.elsewhere"
};
export const ADDRESSES = {
  "searches": "/noise_search/searches", "picks": "/noise_search/picks", "book": "/noise_search/book"
};
export const FIELDS = {
  "candidate": ["id", "how", "parents", "cost", "values", "score", "seed", "began", "lineage", "finished", "picture", "moving"],
  "search": ["search", "node", "workflow", "version", "mine", "prompt_id", "number", "columns", "notes", "pictures", "used",
    "making", "minutes", "seconds_left", "status", "result", "accepted", "asked", "stopped", "pinned", "kept", "tiles", "error", "candidates"],
  "update": ["search", "node", "workflow", "version", "mine", "prompt_id", "number", "candidates", "scores", "gone", "notes",
    "used", "making", "seconds_left", "status", "stopped", "result", "accepted", "asked", "pinned", "kept", "error"],
  "tiles": ["search", "node", "workflow", "version", "mine", "prompt_id", "number", "what", "first", "count", "judged", "rows", "step", "steps", "pictures"],
  "tile": ["id", "picture"],
  "pick": ["columns", "values", "scores", "notes", "roll", "rollable", "seeds", "count", "sizes", "frames", "pick", "number", "version",
    "node", "workflow", "mine", "prompt_id", "status", "picked", "by", "why", "fallback", "seconds_left"],
  "elsewhere": ["node"],
  "noise": ["id", "recipe", "seed", "score", "judge", "prompt", "model", "how", "made", "picture"],
  "sheet": ["title", "across", "rows", "columns", "cells"],
  "cell": ["small", "large", "size", "frames", "seed", "score", "best"]
};
