// Calls the artist when something begins to wait: a short sound, and a notification while the page is not in front.
import { app } from "../../../scripts/app.js";
import { say } from "../words.js";

const SOUND = "NoiseSearch.Waiting.Sound", NOTICE = "NoiseSearch.Waiting.Notification";
const TONES = [[659, 0], [880, 0.16]]; // hertz, and seconds after the first one
const called = new Set(); // ids of what has waited: nothing calls twice
let audio;

export function addSettings() {
  const add = (id, name, tooltip) => app.ui?.settings?.addSetting?.({ id, name, tooltip, type: "boolean", defaultValue: true, category: [say("Noise Search"), say("When a run waits for your pick"), name] });
  add(NOTICE, say("Notification"), say("Only where you allowed ComfyUI's page to notify you, and while it is not in front."));
  add(SOUND, say("Sound"), "");
}

const isOn = (setting) => app.extensionManager?.setting?.get(setting) ?? true;

// open: leads to what waits, once the notification is clicked.
export function call(id, text, open = () => {}) {
  if (called.has(id)) return;
  called.add(id);
  if (isOn(SOUND)) chime();
  if (isOn(NOTICE) && !(document.visibilityState === "visible" && document.hasFocus())) notify(id, text, open);
}

function chime() {
  audio ??= window.AudioContext && new AudioContext();
  audio?.resume().catch(() => {}); // a page that nobody has clicked yet stays silent
  for (const [hertz, after] of audio ? TONES : []) tone(hertz, audio.currentTime + after);
}

function tone(hertz, begin) {
  const source = new OscillatorNode(audio, { frequency: hertz }), loudness = new GainNode(audio, { gain: 0 });
  loudness.gain.setValueAtTime(0, begin);
  loudness.gain.linearRampToValueAtTime(0.12, begin + 0.02);
  loudness.gain.exponentialRampToValueAtTime(0.001, begin + 0.45);
  source.connect(loudness).connect(audio.destination);
  source.start(begin);
  source.stop(begin + 0.5);
}

function notify(id, text, open) {
  if (window.Notification?.permission !== "granted") return;
  const shown = new Notification(say("ComfyUI waits for you"), { body: text, tag: id });
  shown.addEventListener("click", () => { window.focus(); shown.close(); open(); });
}
