// Posts that wait until the server has answered them: one at a time, in order, each under a key of its own, so that what
// is sent again is done once (Idempotency-Key). They are in the tab's storage, and so outlast the page's being loaded anew;
// a tab that is copied sends the same keys, which is harmless.

import { freshKey } from "/site/api.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const PLACE = "matchstream-posts";

export class Queue {
  #kept;
  #send;
  #tell;
  #isOpen;
  #timer = 0;
  #sending = "";

  // `send` returns what the API answers an entry; `tell` is called after each change, with an entry and its answer if
  // that is the change. While `isOpen` says no, nothing is sent.
  constructor(send, tell, isOpen) {
    this.#send = send;
    this.#tell = tell;
    this.#isOpen = isOpen;
    this.#kept = JSON.parse(sessionStorage.getItem(PLACE)) ?? { waiting: [], refused: [] };
  }

  get waiting() { return this.#kept.waiting; }
  get refused() { return this.#kept.refused; }

  isSending(key) { return this.#sending === key; }

  add(entry) {
    this.waiting.push({ ...entry, key: freshKey(), tries: 0, why: "" });
    this.#keep();
    this.go();
  }

  // Take an entry out, unless it is under way; return whether it is out.
  remove(key) {
    if (this.isSending(key)) return false;
    this.#kept.waiting = this.waiting.filter((entry) => entry.key !== key);
    this.#keep();
    return true;
  }

  forget(key) {
    this.#kept.refused = this.refused.filter((entry) => entry.key !== key);
    this.#keep();
  }

  // Send the first one now, whenever it was to be sent.
  go() {
    clearTimeout(this.#timer);
    if (!this.#sending && this.waiting.length && this.#isOpen()) this.#next(this.waiting[0]);
  }

  async #next(entry) {
    this.#sending = entry.key;
    this.#tell();
    const answer = await this.#send(entry);
    this.#sending = "";
    if (answer.mayPass || answer.status === 401) {  // without the right token it waits for that
      entry.tries += 1;
      entry.why = answer.error;
    } else {
      this.waiting.shift();
      if (!answer.isDone) this.refused.unshift({ ...entry, why: answer.error });
    }
    this.#keep(entry, answer);
    if (answer.mayPass) this.#timer = setTimeout(() => this.go(), Math.max(answer.againMs, pause(entry.tries)));
    else if (answer.status !== 401) this.go();
  }

  #keep(entry, answer) {
    sessionStorage.setItem(PLACE, JSON.stringify(this.#kept));
    this.#tell(entry, answer);
  }
}

// Exponential, half of it by chance, so that those whom one server has left do not come back as one.
function pause(tries) {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
  return longest * (0.5 + Math.random() / 2);
}
