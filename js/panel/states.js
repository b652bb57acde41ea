// What is said before a search begins, after it ended early, and when it failed. Imports only what imports nothing, so Node can test it.
import { isRunning } from "./search.js";
import { say } from "../words.js";

const kept = () => say("What is there is kept; Run goes on.");

// waiting: { state, title } of a queued prompt whose search has not begun, or null; title: of the node that runs before it.
export function waitingText(waiting) {
  if (!waiting) return "";
  const { state, title } = waiting;
  if (state === "queued") return say("Queued. It begins when what is before it in the queue is done.");
  if (state === "cancelled") return say("Cancelled before the search began. Run starts it.");
  if (state === "loading") return say("Loading the models.");
  return title ? say("Getting ready: {node}.", { node: title }) : say("Getting ready.");
}

// What stands where pictures will be, while there are none.
export function idleText(search, waiting) {
  if (!search) return waitingText(waiting) || say("Queue to search. The pictures show up here as they are made.");
  if (search.status === "interrupted") return `${say("No picture was done when it was cancelled.")} ${kept()}`;
  return isRunning(search) ? say("The pictures show up here as they are made.") : "";
}

// A line under the status of a search that ended early, "" for all others.
export const afterText = (search) => (search.status === "interrupted" && search.candidates.length ? kept() : "");

// What failed: { title, text }, or null. failed: { node, text, own } as the host told this page: the node's title, and whether it is the search's own.
// A search that another page queued, or an earlier visit of this one, knows its error from the server.
export function problemOf(search, failed) {
  if (failed) return { title: failed.own ? say("Stopped by an error") : say("{node} failed, so that this search did not run", failed), text: failed.text };
  return search?.status === "failed" && search.error ? { title: say("Stopped by an error"), text: search.error } : null;
}

// The text in parts: [text, isAddress].
export const withLinks = (text) => text.split(/(https?:\/\/[^\s"'<>()]*[^\s"'<>().,;:!?])/).map((part, place) => [part, place % 2 === 1]).filter(([part]) => part);
