// What a search says and offers while it waits for the artist to pick. Imports only what imports nothing, so Node can test it.
import { clock } from "../pick/state.js";
import { isJudged } from "./search.js";
import { say, sayCount } from "../words.js";

export const isWaiting = (search) => search?.status === "waiting" && Boolean(search.asked);

// The picks after a click: of one that may be picked it is sent, of several it is marked, or taken back.
export function clicked({ asked: { most } }, marks, id) {
  if (most === 1) return { marks: [], sent: [id] };
  const others = marks.filter((one) => one !== id);
  return { marks: others.length < marks.length ? others : marks.length < most ? [...marks, id] : marks, sent: null };
}

export const pickTitle = ({ asked: { most } }) => sayCount(most, "Pick one: what follows waits.", "Pick up to {count}: what follows waits.");

export function pickText(search, seconds) {
  const { most, fallback } = search.asked;
  const how = most === 1 ? say("A click on a picture sends it.") : say("Click them in order, best first.");
  return `${how} ${seconds === null ? say("The run waits.") : goesOn(isJudged(search), fallback.length, { time: clock(seconds) })}`;
}

const goesOn = (judged, count, time) => (judged ? sayCount(count, "In {time} the best goes on.", "In {time} the best {count} go on.", time)
  : sayCount(count, "In {time} the first goes on.", "In {time} the first {count} go on.", time));

// What the button says that answers as nobody's answer would.
export function leaveText(search) {
  const count = search.asked.fallback.length;
  return isJudged(search) ? sayCount(count, "Use the best", "Use the best {count}") : sayCount(count, "Use the first", "Use the first {count}");
}
