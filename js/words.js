// What the pack says in the page, in the language of the page. The English text is written where it is used, and is said wherever a translation is
// missing. Imports nothing, so Node can test it.

let spoken = { language: "en", words: {} };

// From now on in this language: its words by the English ones.
export function speak(language, words) {
  spoken = { language, words };
}

// "{count} tried", { count: 3 } -> "3 tried"
export const say = (english, values = {}) => filled(spoken.words[english] ?? english, values);

// The same for a number of things; languages with more forms than one and many have them by the names of Intl.PluralRules, as { one: …, few: …, other: … }.
export function sayCount(count, one, many, values = {}) {
  const found = spoken.words[many] ?? (count === 1 ? one : many);
  const form = typeof found === "string" ? found : found[new Intl.PluralRules(spoken.language).select(count)] ?? found.other;
  return filled(form, { count, ...values });
}

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
