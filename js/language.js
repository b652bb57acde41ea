// The pack speaks the language that is set in ComfyUI, if js/languages has it.
// These are files of ours, not a part of locales/: what ComfyUI reads there it keeps to itself, and it would read braces, @ and | in them in its own way.
import { app } from "../../scripts/app.js";
import { speak } from "./words.js";

const LANGUAGES = new Set(["ja", "zh"]);
const SETTING = "Comfy.Locale";

app.registerExtension({
  name: "noise_search.language",
  async init() { // what the other modules say is said later
    app.ui?.settings?.addEventListener?.(`${SETTING}.change`, ({ detail }) => follow(detail.value)); // ComfyUI makes the nodes anew
    await follow(app.extensionManager?.setting?.get(SETTING));
  },
});

async function follow(language) {
  if (!LANGUAGES.has(language)) return speak("en", {});
  const answer = await fetch(new URL(`./languages/${language}.json`, import.meta.url), { cache: "no-cache" }).catch(() => null);
  if (answer?.ok) speak(language, await answer.json());
}
