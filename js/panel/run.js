// The searches of a node's last run: one, or as many as a list or a loop makes of it. Imports nothing, so Node can test it.

export const EMPTY = { searches: [], at: 0 };

export const shownOf = ({ searches, at }) => searches[at] ?? null;

// The run with a search that is new or has changed. Another run takes the place of this one; an older one does not.
// What is new is shown, unless the artist looks at another one of the same run.
export function withSearch(run, search) {
  const { searches, at } = run, place = searches.findIndex((one) => one.search === search.search);
  if (place >= 0) return { ...run, searches: searches.map((one, index) => (index === place ? search : one)) };
  if (!searches.length || searches[0].prompt_id !== search.prompt_id) {
    return searches.length && searches[0].mine && search.number < searches[0].number ? run : { searches: [search], at: 0 };
  }
  const more = [...searches, search].sort((one, other) => one.number - other.number);
  return { searches: more, at: at === searches.length - 1 ? more.length - 1 : more.indexOf(searches[at]) };
}

// The run with the next search in sight, or the one before; it ends at both ends.
export const turned = (run, by) => ({ ...run, at: Math.max(0, Math.min(run.searches.length - 1, run.at + by)) });
