// An error, in the panel of the search that it stopped: what it says, and what can be done.
import { button, make } from "./dom.js";
import { problemOf, withLinks } from "./states.js";
import { say } from "../words.js";

export function buildProblem(view) {
  view.problemTitle = make("b");
  view.problemText = make("div", "ns-problem-text", { tabIndex: 0 });
  view.again = button(say("Run again"), say("Queue the workflow as it is now"), () => view.actions.queue(), "ns-go");
  const copy = button(say("Copy the text"), say("For a question or a report"), () => view.actions.copyText(`${view.problemTitle.textContent}\n${view.problemText.textContent}`));
  view.problem = make("div", "ns-problem", { role: "alert" }, view.problemTitle, view.problemText, make("div", "ns-buttons", {}, view.again, copy));
}

export function drawProblem(view, search, failed) {
  const found = problemOf(search, failed);
  view.problem.hidden = !found;
  view.again.hidden = !failed && Boolean(search) && !search.mine; // another page's error is not run again from here
  const key = found ? `${found.title}\n${found.text}` : "";
  if (view.problem.dataset.key === key) return;
  view.problem.dataset.key = key;
  view.problemTitle.textContent = found?.title ?? "";
  view.problemText.replaceChildren(...withLinks(found?.text ?? "").map(([text, isAddress]) => (isAddress ? link(text) : text)));
}

const link = (address) => make("a", "", { href: address, textContent: address, target: "_blank", rel: "noopener noreferrer" });
