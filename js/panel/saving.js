// Saves a found picture in full: the server says what to queue (nodes/host/files/resave.py).
import { api } from "../../../scripts/api.js";
import { ask, tell } from "./page.js";
import { say } from "../words.js";

const SAVER = "noise_search_saved"; // nodes/host/files/resave.py

export async function save(address) {
  const job = await ask(`${address}/saving`);
  if (!job) return;
  await api.queuePrompt(0, { output: job.prompt, workflow: job.workflow });
  tell("info", say("Making it once more to save it in full…"));
}

// Queues the workflow as it was when the picture was found, with it as the node's result.
export async function queueAgain(address) {
  const job = await ask(`${address}/again`);
  if (!job) return;
  await api.queuePrompt(0, { output: job.prompt, workflow: job.workflow });
  tell("info", say("Queued as it was when this picture was found."));
}

export const listenForSaved = () => api.addEventListener("executed", ({ detail }) => {
  const [file] = (detail.node === SAVER && detail.output?.images) || [];
  if (file) tell("success", say("Saved as {file}", { file: [file.subfolder, file.filename].filter(Boolean).join("/") }));
});
