// The seed book as a dialog: look, search, use, delete, export, import.
import { api } from "../../../scripts/api.js";
import { ADDRESSES } from "../messages.js";
import { button, later, make, set } from "../panel/dom.js";
import { ask, asPage, openDialog, tell } from "../panel/page.js";
import { counted, describe, isWalk } from "./entries.js";
import { say, sayCount } from "../words.js";

const ROOT = ADDRESSES.book;
const PATIENCE = 250; // milliseconds after a key

// use(recipe): what a chosen noise is for. walks: whether it may be a walk along the sampling path.
export function openBook({ use, walks }) {
  const book = { use, walks, query: "", noises: [], count: 0 };
  build(book);
  book.dialog = openDialog(book.root);
  book.dialog.classList.add("ns-book-dialog");
  book.search.focus();
  return load(book);
}

function build(book) {
  book.search = make("input", "ns-book-search", { type: "search", placeholder: say("Search prompt, model, seed…"), ariaLabel: say("Search the seed book"), maxLength: 200 });
  book.search.addEventListener("input", later(() => load(book), PATIENCE));
  book.count = make("span", "ns-book-count", { ariaLive: "polite" });
  const file = make("input", "", { type: "file", accept: ".json,application/json", hidden: true });
  file.addEventListener("change", () => takeIn(book, file));
  const out = make("a", "ns-button", { textContent: say("Export"), href: api.apiURL(asPage(`${ROOT}/export`)), download: "seed_book.json", title: say("All of it as one file") });
  book.list = make("div", "ns-book-list", { role: "list" });
  book.more = button(say("Show more"), "", () => load(book, true));
  book.empty = make("div", "ns-idle");
  book.root = make("div", "ns-panel ns-book", {},
    make("div", "ns-head", {}, make("b", "ns-status", { textContent: say("Seed book") }), book.count, out,
      button(say("Import…"), say("Add the noises of an exported book"), () => file.click()), file, button("✕", say("Close (Esc)"), () => book.dialog.close())),
    book.search, book.empty, book.list, book.more);
}

async function load(book, further = false) {
  const query = book.search.value.trim();
  const offset = further ? book.noises.length : 0;
  const answer = await ask(`${ROOT}?${new URLSearchParams({ query, offset })}`);
  if (!answer || query !== book.search.value.trim()) return; // typed on
  book.noises = further ? [...book.noises, ...answer.noises] : answer.noises;
  if (!further) book.list.replaceChildren();
  book.list.append(...answer.noises.map((noise) => card(book, noise)));
  set(book.count, counted(answer.count, query));
  book.more.hidden = book.noises.length >= answer.count;
  book.empty.hidden = answer.count > 0;
  set(book.empty, query ? say("Nothing in the book has all these words.") : say("Nothing is kept yet. In a search node's panel: ♡ on a picture."));
}

function card(book, noise) {
  const { title, facts } = describe(noise);
  const walk = isWalk(noise) && !book.walks;
  const picture = make("img", "", { alt: "", loading: "lazy" });
  if (noise.picture) picture.src = api.apiURL(asPage(`${ROOT}/${noise.id}/picture`));
  const use = button(say("Use"), walk ? say("It walks along the sampling path: use it in the recipe input of a search node") : say("Fill its recipe in"), () => {
    book.dialog.close();
    book.use(noise.recipe);
  }, "ns-go");
  use.disabled = walk;
  const drop = button(say("Delete"), say("Forget this noise"), () => (drop.dataset.sure ? forget(book, noise, root) : surely(drop)));
  const texts = make("div", "ns-book-texts", {}, make("b", "", { textContent: title, title }), make("span", "", { textContent: facts.join(" · ") }));
  const root = make("div", "ns-book-card", { role: "listitem" }, picture, texts, make("div", "ns-buttons", {}, use, drop));
  return root;
}

// The first click asks, the second one does it.
function surely(drop) {
  drop.dataset.sure = "yes";
  set(drop, say("Delete?"));
  drop.addEventListener("blur", () => { delete drop.dataset.sure; set(drop, say("Delete")); }, { once: true });
}

async function forget(book, noise, root) {
  if (!(await ask(`${ROOT}/${noise.id}`, { method: "DELETE" }))) return;
  const next = (root.nextElementSibling ?? root.previousElementSibling)?.querySelector("button") ?? book.search;
  root.remove();
  book.noises = book.noises.filter(({ id }) => id !== noise.id);
  next.focus();
  if (!book.noises.length) load(book);
}

async function takeIn(book, file) {
  const [chosen] = file.files;
  file.value = ""; // so that the same file can be chosen again
  if (!chosen) return;
  const body = await ask(`${ROOT}/import`, { method: "POST", headers: { "Content-Type": "application/json" }, body: chosen });
  if (body) tell("success", sayCount(body.noises, "1 noise from the file is in the book", "{count} noises from the file are in the book"));
  load(book);
}
