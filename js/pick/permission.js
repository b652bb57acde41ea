// The button that asks the browser for the permission to notify the artist: seen only while something waits, and where that can still be given.
import { button } from "../panel/dom.js";
import { say } from "../words.js";

export const permissionButton = () => button(say("Notify me"), say("Asks your browser for the permission to notify you when a run waits for your pick"), async () => {
  await Notification.requestPermission();
  for (const one of document.querySelectorAll(".np-notify")) drawPermission(one, false);
}, "np-notify");

export function drawPermission(button, waits) {
  button.hidden = !(waits && window.isSecureContext && window.Notification?.permission === "default");
}
