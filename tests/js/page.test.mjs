// What the page is told of an answer of the server: js/panel/page.js, js/pick/page.js.
import assert from "node:assert/strict";
import { register } from "node:module";
import { test } from "node:test";

const host = { app: {}, api: {} }; // the two modules of ComfyUI's page
globalThis.comfyPage = host;
const standIn = (name) => `data:text/javascript,export const ${name} = globalThis.comfyPage.${name};`;
const hooks = `export const resolve = (name, context, next) => {
  const found = /\\/scripts\\/(app|api)\\.js$/.exec(name);
  return found ? { url: ${JSON.stringify({ app: standIn("app"), api: standIn("api") })}[found[1]], shortCircuit: true } : next(name, context);
};`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const panel = await import("../../js/panel/page.js");
const gallery = await import("../../js/pick/page.js");

// What was told, and what came back.
async function answered(status, body, call) {
  const told = [], asked = [];
  host.app.extensionManager = { toast: { add: (toast) => told.push(toast) } };
  host.api.fetchApi = async (path, request) => {
    asked.push([path, request?.method ?? "GET"]);
    return { ok: status < 400, status, json: async () => body };
  };
  return { found: await call(), told, asked };
}

test("an answer comes back, and nothing is told", async () => {
  for (const call of [() => panel.ask("/x"), () => gallery.ask("/x"), () => gallery.ask("/x", { action: "roll" }), () => panel.send("/x", {})]) {
    const { found, told } = await answered(200, { fine: 1 }, call);
    assert.deepEqual([found, told], [{ fine: 1 }, []]);
  }
  assert.deepEqual((await answered(200, {}, () => gallery.ask("/x", { action: "roll" }))).asked, [["/x", "POST"]]);
  assert.deepEqual((await answered(200, {}, () => gallery.ask("/x"))).asked, [["/x", "GET"]]);
});

test("what the server refuses is told in its own words, by the one that asked", async () => {
  for (const [call, from] of [[() => panel.ask("/x"), "Noise Search"], [() => gallery.ask("/x", {}), "Human Pick"]]) {
    const { found, told } = await answered(400, { error: "picked must be a list" }, call);
    assert.equal(found, undefined);
    assert.deepEqual(told.map(({ summary, detail, severity }) => [summary, detail, severity]), [[from, "picked must be a list", "warn"]]);
    assert.match((await answered(500, null, call)).told[0].detail, /answered 500/);
  }
});

test("a search that was over already is no news, an answer that came too late is", async () => {
  assert.deepEqual((await answered(409, { error: "over" }, () => panel.send("/x", {}))).told, []);
  const { told } = await answered(409, { error: "over" }, () => gallery.ask("/x", {}));
  assert.match(told[0].detail, /another window/);
});
