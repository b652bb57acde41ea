// The searches of a node: of each run one, or as many as a list or a loop makes of it; the last runs stay. Imports nothing, so Node can test it.

const MOST = 16; // runs; nodes/host/page/live.py

export const EMPTY = { runs: [], run: 0, at: 0 };

export const shownOf = ({ runs, run, at }) => runs[run]?.[at] ?? null;

export const searchesIn = ({ runs }) => runs.flat();

// Where it is: [place, count] among the searches of its run, and [earlier, later] runs.
export const placeOf = ({ runs, run, at }) => ({ place: [at + 1, runs[run]?.length ?? 0], others: [run, Math.max(0, runs.length - 1 - run)] });

// With a search that is new or has changed. The newest run is shown as it begins; an older one goes before it, and what other pages queued is shown only
// where the page has nothing of its own. Of a list what is new is shown, unless the artist looks at another one of the same run.
export function withSearch(state, search) {
  const { runs, run, at } = state;
  const known = runs.findIndex((searches) => searches.some((one) => one.search === search.search));
  if (known >= 0) return { ...state, runs: runs.with(known, runs[known].map((one) => (one.search === search.search ? search : one))) };
  const same = runs.findIndex(([first]) => first.prompt_id === search.prompt_id);
  if (same >= 0) {
    const before = runs[same], more = [...before, search].sort((one, other) => one.number - other.number);
    const looked = at === before.length - 1 ? more.length - 1 : more.indexOf(before[at]);
    return { ...state, runs: runs.with(same, more), at: same === run ? looked : at };
  }
  const own = runs.filter(([first]) => first.mine);
  if (own.length && !search.mine) return state;
  const later = own.findIndex(([first]) => first.number > search.number), place = later < 0 ? own.length : later;
  const all = own.toSpliced(place, 0, [search]), over = Math.max(0, all.length - MOST);
  if (later < 0) return { runs: all.slice(over), run: all.length - 1 - over, at: 0 };
  return place < over ? state : { ...state, runs: all.slice(over), run: run + 1 - over };
}

// With the next search of the run in sight, or the one before; it ends at both ends.
export const turned = (state, by) => ({ ...state, at: within(state.at + by, state.runs[state.run]) });

// With the last search of a later run in sight, or of an earlier one.
export function leafed(state, by) {
  const run = within(state.run + by, state.runs);
  return { ...state, run, at: within(Infinity, state.runs[run]) };
}

// With this search in sight; as it was where there is none of that id.
export function opened(state, id) {
  const run = state.runs.findIndex((searches) => searches.some(({ search }) => search === id));
  return run < 0 ? state : { ...state, run, at: state.runs[run].findIndex(({ search }) => search === id) };
}

const within = (place, list) => Math.max(0, Math.min((list?.length ?? 0) - 1, place));
