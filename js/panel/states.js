// What is said before a search begins, after it ended early, and when it failed. Imports only what imports nothing, so Node can test it.
import { isRunning } from "./search.js";

const IDLE = "Queue to search. The pictures show up here as they are made.";
const COMING = "The pictures show up here as they are made.";
const KEPT = "What is there is kept; Run goes on.";

// waiting: { state, title } of a queued prompt whose search has not begun, or null; title: of the node that runs before it.
export function waitingText(waiting) {
  if (!waiting) return "";
  const { state, title } = waiting;
  if (state === "queued") return "Queued. It begins when what is before it in the queue is done.";
  if (state === "cancelled") return "Cancelled before the search began. Run starts it.";
  return state === "loading" ? "Loading the models." : title ? `Getting ready: ${title}.` : "Getting ready.";
}

// What stands where pictures will be, while there are none.
export function idleText(search, waiting) {
  if (!search) return waitingText(waiting) || IDLE;
  if (search.status === "interrupted") return `No picture was done when it was cancelled. ${KEPT}`;
  return isRunning(search) ? COMING : "";
}

// A line under the status of a search that ended early, "" for all others.
export const afterText = (search) => (search.status === "interrupted" && search.candidates.length ? KEPT : "");

// What failed: { title, text }, or null. failed: { node, text, own } as the host told this page: the node's title, and whether it is the search's own.
// A search that another page queued, or an earlier visit of this one, knows its error from the server.
export function problemOf(search, failed) {
  if (failed) return { title: failed.own ? "Stopped by an error" : `${failed.node} failed, so that this search did not run`, text: failed.text };
  return search?.status === "failed" && search.error ? { title: "Stopped by an error", text: search.error } : null;
}

// The text in parts: [text, isAddress].
export const withLinks = (text) => text.split(/(https?:\/\/[^\s"'<>()]*[^\s"'<>().,;:!?])/).map((part, place) => [part, place % 2 === 1]).filter(([part]) => part);
