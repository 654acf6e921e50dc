// Two reporters of one match. A post says up to which event its reporter knew the match (`version`, sent as If-Match); if
// the match has others since, the API does nothing and says so (412). Then those are read: where one of them tells the
// same, only the reporters know whether it happened twice, so it is for this one to say; else the post is made on them.

import { ask } from "/site/api.js";
import { isTwin } from "/site/rules.js";
import { whatHappened } from "/site/telling.js";

const NOTICED_MS = 20000;  // so long after it was shown, an event of another reporter counts as known

// A version is how many events a match has, and which match of its id it is.
const numberOf = (version) => Number.parseInt(version);
export const versionAt = (version, number) => version.replace(/^\d+/, number);
const isSameMatch = (one, other) => versionAt(one, 0) === versionAt(other, 0);
const ANEW = "it was announced anew, or set back, meanwhile: look at it; if this is still so, send it all the same";

// A post of the same reporter was accepted as event `number`, before `entry` is sent.
export function follow(entry, number) {
  if (number === numberOf(entry.version) + 1) entry.version = versionAt(entry.version, number);
  else entry.own.push(number);
}

// Ask for what an entry says, and return the answer. One that is 412 has made the entry's version that of now, so that
// whoever has read what it says can have it sent all the same.
export async function deliver(entry, token) {
  for (;;) {
    const { method, path, key, version, post } = entry;
    const answer = await ask(method, path, { token, key, version, body: post });
    if (answer.status !== 412) return answer;
    const objection = await catchUp(entry);
    if (objection) return objection;
  }
}

// Read what an entry's reporter does not know, and return what speaks against sending it now, if anything does.
async function catchUp(entry) {
  const path = `/1/match/${encodeURIComponent(entry.match)}`, after = numberOf(entry.version);
  const match = await ask("GET", path);
  if (!match.isDone) return match;
  const { version = "", value: { seq } } = match;
  if (!isSameMatch(version, entry.version)) return outdated(entry, version, ANEW);
  if (!entry.post) return outdated(entry, version, `it has ${seq} events now: look at them, and if it is to go, send it all the same`);
  const page = await ask("GET", `${path}/history?limit=1000&after=${after}`);
  if (!page.isDone) return page;
  const { events } = page.value, last = events.at(-1);
  if (!last) return outdated(entry, version, ANEW);
  const twin = events.find((event) => !entry.own.includes(event.seq) && isTwin(entry.post, event));
  const said = twin ? `posted meanwhile: ${whatHappened(twin)}; if yours is the same, dismiss it; if not, send it all the same` : "";
  return outdated(entry, versionAt(version, last.seq), said);
}

// Have an entry know the match as it is at a version. Return the refusal that says `why`, if anything does.
function outdated(entry, version, why) {
  Object.assign(entry, { version, own: [] });
  return why ? { status: 412, isDone: false, mayPass: false, error: why } : null;
}

// Which events of a match its reporter knows: those that were there at first, its own, and others after a while.
export class Known {
  #since = new Map();
  #upTo = 0;

  add(number) { this.#since.set(number, -Infinity); }
  has(number) { return this.#since.get(number) === -Infinity; }

  show(number) {
    if (!this.#since.has(number)) this.#since.set(number, performance.now());
  }

  // The last one before which all are known.
  get upTo() {
    while (performance.now() - this.#since.get(this.#upTo + 1) >= NOTICED_MS) this.#upTo += 1;
    return this.#upTo;
  }
}
