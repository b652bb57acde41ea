// Goes on searching where a search has ended: more pictures, more time, or other noises. Imports only what imports nothing, so Node can test it.
import { isRunning } from "./search.js";
import { LARGEST } from "./start.js";
import { setValue } from "./wiring.js";
import { say, sayCount } from "../words.js";

const FURTHER = 8; // pictures
const LIMITED = new Set(["target", "patience", "finished"]); // more of them would end at the same place

// What the last search offers once it is over: [{ act, label, title }, …]. Made from what is on the canvas no more, it has no more pictures.
export function offersOfMore(search, { replays, changed }) {
  if (!search.mine || isRunning(search) || search.pictures === 1 || replays) return [];
  const further = search.stopped === "minutes"
    ? { act: "longer", label: say("Longer"), title: say("Goes on for as long again; what it needs of what is there is not made again") }
    : { act: "further", label: say("{count} more", { count: FURTHER }), title: sayCount(FURTHER, "Goes on with 1 more picture; what it needs of those that are there is not made again", "Goes on with {count} more pictures; what it needs of those that are there is not made again") };
  return [...(changed || LIMITED.has(search.stopped) ? [] : [further]), { act: "anew", label: say("New seed"), title: say("Searches again from another seed; this gallery stays behind ‹") }];
}

// Changes the node's widgets for that; widget(name) is where a value is typed into. The name of an input that another node gives, "" where all is done.
export function goFurther(act, search, widget) {
  const [name, value] = { further: ["pictures", search.pictures + FURTHER], longer: ["minutes", 2 * search.minutes], anew: ["seed", Math.floor(Math.random() * LARGEST)] }[act];
  const found = widget(name);
  if (!found) return name;
  setValue(found, value);
  return "";
}
