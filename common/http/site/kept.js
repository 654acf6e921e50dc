// What a page keeps in its tab, as text: in the tab's storage, which outlasts the page's being loaded anew. Where a browser
// gives it none (blocked, at whose name alone there is a SecurityError) or no more (QuotaExceededError), with the page.

const here = new Map();
let isLost = false;

function stored(act) {
  try {
    return act();
  } catch {
    isLost = true;
    return null;
  }
}

// Whether something of this page will be lost with it.
export const isFleeting = () => isLost;

export const kept = (place) => here.get(place) ?? stored(() => sessionStorage.getItem(place));

export function keep(place, text) {
  here.set(place, text);
  stored(() => sessionStorage.setItem(place, text));
}

export function drop(place) {
  here.delete(place);
  stored(() => sessionStorage.removeItem(place));
}
