// The entry of a search node's menu that removes what the disk remembers of its last search.
import { send, tell } from "./page.js";

const LABEL = "Forget what this search kept on disk";

export const forgetting = (address) => ({ content: LABEL, callback: () => forget(address) });

async function forget(address) {
  const answer = await send(`${address}/control`, { action: "forget" });
  if (answer) tell("success", answer.freed ? `${(answer.freed / 1e6).toFixed(1)} MB freed; the next run samples again` : "Nothing was kept");
}
