// Elements of the page, in few words.

export function make(tag, className = "", properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export function button(text, title, act, className = "") {
  const element = make("button", className, { type: "button", textContent: text, title });
  element.addEventListener("click", (event) => { event.stopPropagation(); act(); });
  return element;
}

export const option = (value, text) => make("option", "", { value, textContent: text });

export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Once so many milliseconds have gone by without another call.
export function later(act, wait) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };
}

// At most once per frame.
export function once(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; act(); });
  };
}
