// The band of a search that waits for the artist: what is to be done, how long it waits, and the answers beside the pictures.
import { button, make, set } from "./dom.js";
import { drawPermission, permissionButton } from "../pick/permission.js";
import { names } from "./search.js";
import { isWaiting, leaveText, pickText, pickTitle } from "./waits.js";
import { say } from "../words.js";

export function buildAsks(view) {
  const { actions } = view;
  view.askTitle = make("b", "", { ariaLive: "polite" });
  view.askText = make("span");
  view.send = button("", say("What follows runs with these"), () => actions.sendMarks(), "ns-go");
  view.leave = button("", "", () => actions.leave());
  view.notify = permissionButton();
  view.asks = make("div", "ns-asks", { hidden: true }, make("i", "np-lamp"), make("span", "", {}, view.askTitle, " ", view.askText), view.send, view.leave);
}

export function drawAsks(view) {
  const { search, marks } = view, waits = isWaiting(search) && search.mine;
  view.asks.hidden = !waits;
  drawPermission(view.notify, waits);
  if (!waits) return;
  set(view.askTitle, pickTitle(search));
  tickAsks(view);
  view.send.hidden = search.asked.most === 1;
  view.send.disabled = !marks.length;
  set(view.send, marks.length ? say("Use {pictures}", { pictures: names(marks) }) : say("Click pictures first"));
  set(view.leave, leaveText(search));
  view.leave.title = say("What the search itself passes on: {pictures}", { pictures: names(search.asked.fallback) });
}

export function tickAsks({ search, asks, askText }) {
  if (asks.hidden) return;
  const { ends = null } = search.asked;
  set(askText, pickText(search, ends === null ? null : (ends - Date.now()) / 1000));
}
