// What a gallery needs of the host's page: its server, its graph, its messages.
import * as page from "../panel/page.js";
import { say } from "../words.js";

export const SAY = {
  get over() { return say("It waits no more: it was answered in another window, or the run has ended."); },
  get from() { return say("Human Pick"); },
};

export const tell = (detail) => page.tell("warn", detail, SAY.from);

export const ask = (path, body) => (body ? page.send(path, body, SAY) : page.ask(path, undefined, SAY));

// Large enough, and at least a third of it, to be noticed.
export function isInSight(element) {
  const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
  const across = Math.min(right, innerWidth) - Math.max(left, 0), down = Math.min(bottom, innerHeight) - Math.max(top, 0);
  return element.checkVisibility() && width > 160 && across > 0 && down > 0 && across * down > (width * height) / 3;
}
