// Follows what this page has queued until its searches begin: queued, getting ready, cancelled, failed.
import { api } from "../../../scripts/api.js";
import { nodeOf, pageId, withPanels, workflowId } from "./page.js";

const RUNS = 0; // mode of a node that is neither muted nor bypassed

// panels: node -> { search, waiting, failed }. draw(node): after something has changed. { look() }: asks the server, after a reload.
export function watchQueue(panels, draw) {
  const ours = () => withPanels(panels);
  const change = (node, more) => { Object.assign(panels.get(node), more); draw(node); };

  // Before its prompt has a name: it may fail sooner than the page hears that it was queued.
  const coming = () => { for (const [node, panel] of ours()) panel.coming = node.mode === RUNS || node.mode === undefined; };

  let asked = 0;
  const look = async () => {
    const nodes = ours(), workflow = workflowId(), mine = ++asked;
    if (!nodes.length) return;
    const queue = await api.fetchApi("/queue").then((answer) => answer.json()).catch(() => null);
    if (!queue || workflowId() !== workflow || mine !== asked) return;
    const entries = [...queue.queue_running.map((entry) => [entry, "ready"]), ...queue.queue_pending.sort((a, b) => a[0] - b[0]).map((entry) => [entry, "queued"])];
    for (const [node, panel] of nodes) {
      const found = entries.find(([entry]) => isOwn(entry, workflow) && Object.keys(entry[2]).some((name) => nodeOf({ workflow, node: name }) === node));
      settle(node, panel, found && { prompt: found[0][1], state: found[1], title: "" });
    }
  };

  // What runs is told by events from then on; a search that has begun says all itself.
  const settle = (node, panel, waiting) => {
    if (!waiting || panel.passed === waiting.prompt || panel.search?.prompt_id === waiting.prompt) {
      if (panel.waiting && panel.waiting.state !== "cancelled") change(node, { waiting: null });
    } else if (panel.waiting?.prompt !== waiting.prompt || panel.waiting.state === "queued") change(node, { waiting, failed: null });
  };

  const waitsFor = (panel, prompt) => panel.waiting?.prompt === prompt || (!panel.waiting && panel.coming);

  const ended = (prompt, tell) => {
    for (const [node, panel] of ours()) {
      if (waitsFor(panel, prompt) || panel.search?.prompt_id === prompt) tell(node, panel);
      Object.assign(panel, { coming: false, passed: prompt }); // an answer about the queue may be on its way that still has it
    }
    look();
  };

  const running = (name) => {
    const workflow = workflowId(), now = name ? nodeOf({ workflow, node: String(name) }) : undefined;
    for (const [node, panel] of ours()) {
      const { waiting } = panel;
      if (!now || !waiting || waiting.state === "queued" || waiting.state === "cancelled") continue;
      change(node, { waiting: { ...waiting, state: now === node ? "loading" : "ready", title: now.title ?? "" } });
    }
  };

  const failed = ({ prompt_id, node_id, node_type, exception_message }) => {
    const at = nodeOf({ workflow: workflowId(), node: String(node_id) });
    ended(prompt_id, (node, panel) => {
      const own = at === node, text = String(exception_message ?? "").trim();
      if (own || waitsFor(panel, prompt_id)) change(node, { waiting: null, failed: { own, text, node: at?.title ?? node_type } });
    });
  };

  api.addEventListener("promptQueueing", coming);
  api.addEventListener("promptQueued", () => { coming(); look(); });
  api.addEventListener("execution_start", look);
  api.addEventListener("status", () => { if (ours().some(([, { waiting }]) => waiting && waiting.state !== "cancelled")) look(); }); // it may be taken out
  api.addEventListener("execution_cached", ({ detail }) => {
    for (const [node, panel] of ours()) {
      if (!(detail.nodes ?? []).some((name) => nodeOf({ workflow: workflowId(), node: String(name) }) === node)) continue;
      panel.passed = detail.prompt_id; // it has its result already
      if (panel.waiting?.prompt === detail.prompt_id) change(node, { waiting: null });
    }
  });
  api.addEventListener("executing", ({ detail }) => running(typeof detail === "object" ? detail?.node : detail));
  api.addEventListener("execution_success", ({ detail }) => ended(detail.prompt_id, (node) => change(node, { waiting: null })));
  api.addEventListener("execution_interrupted", ({ detail }) => ended(detail.prompt_id, (node, panel) => {
    if (panel.waiting) change(node, { waiting: { ...panel.waiting, state: "cancelled" } });
  }));
  api.addEventListener("execution_error", ({ detail }) => failed(detail));
  return { look };
}

// Of a prompt in the host's queue: [number, id, nodes, extra data, …].
const isOwn = ([, , nodes, extra], workflow) => Boolean(nodes) && extra?.client_id === pageId() && extra.extra_pnginfo?.workflow?.id === workflow;
