// The lists of posts that wait and that were refused, each with a button that takes it away; what was refused for what its
// reporter did not know (meanwhile.js) has one that sends it all the same. `id` is the match of the page.

import { button } from "/site/choice.js";
import { at, element } from "/site/telling.js";

const AGAIN = "Send all the same";

export class PostLists {
  #queue;
  #id;
  #say;

  constructor(queue, id, say) {
    this.#queue = queue;
    this.#id = id;
    this.#say = say;
    at("now").addEventListener("click", () => queue.go());
  }

  // Show both. They stand where nothing has to move for them, so at the top it is said that they are there.
  draw() {
    const { waiting, refused } = this.#queue;
    at("queue").hidden = !waiting.length;
    at("queue-title").textContent = `Waiting: ${waiting.length}`;
    at("refused").hidden = !refused.length;
    this.#list("waiting-posts", waiting, "Remove", (entry) => this.#remove(entry), (entry) => this.#tried(entry));
    this.#list("refused-posts", refused, "Dismiss", ({ key }) => this.#queue.forget(key), ({ why }) => why);
    const open = [[waiting.length, "waiting"], [refused.length, "refused"]].filter(([count]) => count);
    at("open-posts").hidden = !open.length;
    at("open-posts").textContent = open.map((each) => each.join(" ")).join(", ");
  }

  // Posts that were listed stay where they are, and so does the focus.
  #list(name, entries, label, act, reason) {
    const all = at(name), hadFocus = all.contains(document.activeElement);
    const there = new Map([...all.children].map((made) => [made.dataset.key, made]));
    const wanted = new Set(entries.map(({ key }) => key));
    for (const [key, made] of there) if (!wanted.has(key)) made.remove();
    entries.forEach((entry, place) => {
      const made = there.get(entry.key) ?? this.#listed(entry, label, act);
      if (all.children[place] !== made) all.insertBefore(made, all.children[place] ?? null);
      made.querySelector(".reason").textContent = reason(entry);
      made.querySelector("button").setAttribute("aria-disabled", this.#queue.isSending(entry.key));
    });
    if (hadFocus && !all.contains(document.activeElement)) all.querySelector("button")?.focus();
  }

  #listed(entry, label, act) {
    const made = document.createElement("li"), text = document.createElement("p");
    const words = entry.match === this.#id ? entry.words : `${entry.words} (${entry.match})`;
    text.append(element("strong", words), " ", element("span", "", "reason"));
    made.dataset.key = entry.key;
    made.append(text, button(label, `${label}: ${words}`, "", () => act(entry)));
    if (entry.isOutdated) made.append(button(AGAIN, `${AGAIN}: ${words}`, "again", () => this.#queue.again(entry.key)));
    return made;
  }

  #tried({ key, tries, why }) {
    const tried = tries ? `tried ${tries === 1 ? "once" : `${tries} times`}; ${why}` : "";
    return this.#queue.isSending(key) ? `is being sent … ${tried}` : tried;
  }

  #remove(entry) {
    if (!this.#queue.remove(entry.key)) return this.#say("It is being sent: wait for what becomes of it", "waiting");
    this.#say(`Removed: ${entry.words}${entry.tries ? "; if a try has arrived all the same, it stands" : ""}`);
  }
}
