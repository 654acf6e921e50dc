// Buttons, and the dialog in which one of several is chosen, or none.

import { at, element } from "/site/telling.js";

export function button(text, words, className, act) {
  const made = element("button", text, className);
  made.type = "button";
  if (words) made.setAttribute("aria-label", words);
  made.addEventListener("click", act);
  return made;
}

// Have one of `offered`, each a text and what it stands for, chosen: `chosen` is called with that.
export function choose(title, offered, chosen) {
  at("choice-title").textContent = title;
  at("choices").replaceChildren(...offered.map(([text, value]) => button(text, "", "", () => {
    at("choice").close();
    chosen(value);
  })));
  at("choice").showModal();
}

// Have something confirmed that nobody can take back: what is focused at first is the way back.
export function confirm(title, text, confirmed) {
  choose(title, [[text]], confirmed);
  at("choices").firstChild.className = "grave";
  at("back").focus();
}
