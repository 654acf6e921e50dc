// Posts that wait until the server has answered them: one at a time, in order, each under a key of its own, so that what
// is sent again is done once (Idempotency-Key). They are kept in the tab, and so outlast the page's being loaded anew; a tab
// that is copied sends the same keys, which is harmless.

import { freshKey } from "/site/api.js";
import { keep, kept } from "/site/kept.js";
import { follow } from "/site/meanwhile.js";

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
    this.#kept = JSON.parse(kept(PLACE)) ?? { waiting: [], refused: [] };
  }

  get waiting() { return this.#kept.waiting; }
  get refused() { return this.#kept.refused; }

  isSending(key) { return this.#sending === key; }

  // An entry says of which match it is, what is to be asked for, and what its reporter knows (meanwhile.js).
  add(entry) {
    this.waiting.push({ ...entry, key: freshKey(), own: [], tries: 0, why: "", isOutdated: false });
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

  // Have an entry that was refused for what it did not know wait once more: it knows that by now.
  again(key) {
    const entry = this.refused.find((one) => one.key === key);
    this.forget(key);
    this.add(entry);
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
      if (!answer.isDone) this.refused.unshift({ ...entry, why: answer.error, isOutdated: answer.status === 412 });
      else if (entry.post) this.#accepted(entry, answer.value.seq);
    }
    this.#keep(entry, answer);
    if (answer.mayPass) this.#timer = setTimeout(() => this.go(), Math.max(answer.againMs, pause(entry.tries)));
    else if (answer.status !== 401) this.go();
  }

  #accepted({ match }, number) {
    for (const entry of this.waiting) if (entry.match === match) follow(entry, number);
  }

  #keep(entry, answer) {
    keep(PLACE, JSON.stringify(this.#kept));
    this.#tell(entry, answer);
  }
}

// Exponential, half of it by chance, so that those whom one server has left do not come back as one.
function pause(tries) {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
  return longest * (0.5 + Math.random() / 2);
}
