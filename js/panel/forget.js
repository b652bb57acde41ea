// The entry of a search node's menu that removes what the disk remembers of its last search.
import { send, tell } from "./page.js";
import { say } from "../words.js";

export const forgetting = (address) => ({ content: say("Forget what this search kept on disk"), callback: () => forget(address) });

async function forget(address) {
  const answer = await send(`${address}/control`, { action: "forget" });
  if (answer) tell("success", answer.freed ? say("{size} MB freed; the next run samples again", { size: (answer.freed / 1e6).toFixed(1) }) : say("Nothing was kept"));
}
