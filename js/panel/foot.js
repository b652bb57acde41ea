// What is known of the picture that is looked at, and what can be done with it.
import { button, make, set } from "./dom.js";
import { isOpen, menu } from "./menu.js";
import { offers } from "./offers.js";
import { describe, isRunning, numberOf, resultOf, triedText } from "./search.js";
import { placeText } from "./stacks.js";
import { isWaiting } from "./waits.js";
import { say } from "../words.js";

export function drawFoot(view) {
  const { search } = view;
  set(view.hint, isWaiting(search) ? "" : isRunning(search) ? triedText(search) : search.mine && search.pictures > 1 ? say("Click a picture to choose it") : "");
  const looked = [view.focused, view.chosen, resultOf(search)].find((one) => one >= 0) ?? -1;
  drawDetail(view, view.hovered >= 0 ? view.hovered : looked, view.hovered >= 0 && view.hovered !== looked);
  drawButtons(view, looked);
}

// under: whether it is only looked at under the pointer, while the large picture and the buttons are about another one.
function drawDetail({ search, stacks, detail }, id, under) {
  detail.replaceChildren();
  if (id < 0) return;
  const about = describe(search, id);
  detail.append(make("b", "", { textContent: under ? say("Under the pointer: {title}", about) : about.title }), make("span", "", { textContent: about.seed }));
  if (about.score) detail.append(make("span", "ns-value", { textContent: about.score, title: search.notes.join("\n") }));
  const stack = stacks.get(id);
  if (stack && stack.top !== id) detail.append(make("span", "", { textContent: placeText(search, stack, id) }));
  for (const [name, value] of about.values) detail.append(make("span", "ns-value ns-part", { textContent: `${name} ${value}` }));
}

// Made anew only where something else is offered: a menu that is open must stay, and the keyboard where it is.
function drawButtons(view, id) {
  if (id < 0 || !view.search.mine) {
    view.buttons.dataset.key = "";
    return void view.buttons.replaceChildren();
  }
  const { search, actions, buttons } = view;
  const offered = offers(search, id, view.node);
  const pinned = search.pinned.includes(id);
  const key = JSON.stringify([search.search, id, pinned, offered]);
  if (buttons.dataset.key === key || isOpen(buttons)) return;
  buttons.dataset.key = key;
  const items = (wanted) => wanted.map(({ act: [name, ...more], label, title }) => ({ label, title, act: () => actions[name](id, ...more) }));
  buttons.replaceChildren(make("span", "ns-which", { textContent: say("With #{id}:", { id: numberOf(id) }) }), button(pinned ? say("Unpin") : say("Pin"), say("Keep in front (P)"), () => actions.pin(id, !pinned)));
  if (offered.full) buttons.append(button(offered.full.label, offered.full.title, () => actions.full(id)));
  if (offered.hold) buttons.append(button(say("Hold"), say("Use this noise from now on, while you change the prompt"), () => actions.hold(id)));
  if (offered.more.length) buttons.append(menu(say("More like this"), say("Search around this picture"), items(offered.more)));
  buttons.append(menu(say("Save"), say("Save, remember, copy"), items(offered.keep)));
}
