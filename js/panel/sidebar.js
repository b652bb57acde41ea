// A tab of ComfyUI's sidebar with all searches of the workflow, also those in subgraphs, which have no panel in sight.
import { button, make } from "./dom.js";
import { headline, resultOf, statusText } from "./search.js";
import { say } from "../words.js";

// searches(): [{ title, search, picture(id), open() }, …]; openBook(). { tab, draw() }: what ComfyUI registers, and after something has changed.
export function createSidebar({ searches, openBook }) {
  const list = make("div", "ns-side-list");
  const root = make("div", "ns-panel ns-sidebar", {}, make("div", "ns-head", {}, make("b", "ns-status", { textContent: say("Searches") }), button(say("Seed book…"), say("All noises that were kept"), openBook)), list);
  const fill = () => {
    const found = searches();
    list.replaceChildren(...(found.length ? found.map(entry) : [make("div", "ns-idle", { textContent: say("No node of this workflow has searched yet. Right click a sampler: Search its noise.") })]));
  };
  const tab = { id: "noise_search", icon: "pi pi-sparkles", title: say("Searches"), tooltip: say("Searches of this workflow"), type: "custom", render: (place) => { place.append(root); fill(); } };
  return { tab, draw: () => { if (root.isConnected) fill(); } };
}

function entry({ title, search, picture, open }) {
  const best = resultOf(search), [large] = headline(search);
  const image = make("img", "", { alt: "", draggable: false });
  if (best >= 0 && search.candidates[best].picture) image.src = picture(best);
  const found = button("", say("Open it large"), open, "ns-side-entry");
  found.append(image, make("span", "", {}, make("b", "", { textContent: title }), make("span", "", { textContent: statusText(search) }), make("span", "", { textContent: large })));
  return found;
}
