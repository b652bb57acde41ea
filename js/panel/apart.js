// Whether the artist wants every version of a picture as a tile of its own, remembered by the browser.
const NAME = "noise_search.apart";

export function isApart() {
  try {
    return localStorage.getItem(NAME) === "yes";
  } catch { // switched off
    return false;
  }
}

export function remember(apart) {
  try {
    localStorage.setItem(NAME, apart ? "yes" : "no");
  } catch { // until the page is closed
  }
}
