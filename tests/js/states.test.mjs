// What the panel says before, after and instead of a search: js/panel/states.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { afterText, idleText, problemOf, waitingText, withLinks } from "../../js/panel/states.js";

const cancelled = { status: "interrupted", candidates: [], error: "" };

test("queued, getting ready and cancelled have a sentence each", () => {
  const said = ["queued", "ready", "loading", "cancelled"].map((state) => waitingText({ state, title: "" }));
  assert.equal(new Set(said).size, 4);
  assert.ok(said.every((text) => /^[A-Z].*\.$/.test(text)));
  assert.equal(waitingText({ state: "ready", title: "Load Checkpoint" }), "Getting ready: Load Checkpoint.");
  assert.equal(idleText(null, { state: "queued" }), said[0]);
  assert.match(idleText(null, null), /^Queue to search/);
});

test("a cancelled search says that nothing is lost, with and without pictures", () => {
  assert.match(idleText(cancelled, null), /What is there is kept; Run goes on\.$/);
  assert.equal(afterText(cancelled), "", "it is said once");
  assert.match(afterText({ ...cancelled, candidates: [{}] }), /kept; Run goes on/);
  assert.equal(afterText({ status: "done", candidates: [{}] }), "");
});

test("an error is named by the node that failed, and kept by the server for a page that comes later", () => {
  const failed = { status: "failed", error: "no room" };
  assert.deepEqual(problemOf(failed, null), { title: "Stopped by an error", text: "no room" });
  assert.equal(problemOf(failed, { own: true, text: "no room at all", node: "Noise Search" }).text, "no room at all");
  assert.match(problemOf(null, { own: false, text: "x", node: "Load Verifier" }).title, /^Load Verifier failed/);
  assert.equal(problemOf({ status: "done", error: "" }, null), null);
});

test("an address in an error can be clicked, without the full stop behind it", () => {
  assert.deepEqual(withLinks("Get it from https://example.org/a_b.bin. Then run."), [["Get it from ", false], ["https://example.org/a_b.bin", true], [". Then run.", false]]);
  assert.deepEqual(withLinks("no address"), [["no address", false]]);
  assert.deepEqual(withLinks("javascript:alert(1)"), [["javascript:alert(1)", false]]);
});
