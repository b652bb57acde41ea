// What is said, and in which language: js/words.js.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { statusText } from "../../js/panel/search.js";
import { say, sayCount, speak } from "../../js/words.js";

afterEach(() => speak("en", {}));

test("what has no translation is said in English, with its values", () => {
  speak("zh", { "Use": "使用" });
  assert.equal(say("Use"), "使用");
  assert.equal(say("Use #{id}", { id: 3 }), "Use #3");
  assert.equal(say("{count} of {all}", { count: 0, all: "$&" }), "0 of $&");
});

test("of one and of many: as the language has it", () => {
  assert.deepEqual([1, 2].map((count) => sayCount(count, "1 picture", "{count} pictures")), ["1 picture", "2 pictures"]);
  speak("zh", { "{count} pictures": "{count} 张图像" });
  assert.deepEqual([1, 2].map((count) => sayCount(count, "1 picture", "{count} pictures")), ["1 张图像", "2 张图像"]);
  speak("pl", { "{count} pictures": { one: "{count} obraz", few: "{count} obrazy", many: "{count} obrazów", other: "{count} obrazu" } });
  assert.deepEqual([1, 3, 5].map((count) => sayCount(count, "1 picture", "{count} pictures")), ["1 obraz", "3 obrazy", "5 obrazów"]);
});

test("a value that holds braces is not read as a place for another", () => {
  assert.equal(say("{node} failed: {why}", { node: "{why}", why: "no room" }), "{why} failed: no room");
});

test("a sentence is translated as a whole, with its parts in another order", () => {
  speak("zh", { "Paused at {used} of {pictures}": "共 {pictures}，暂停于 {used}" });
  assert.equal(statusText({ status: "paused", used: 2, pictures: 8, making: 0 }), "共 8，暂停于 2");
});
