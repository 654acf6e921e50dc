// The lab's page: what the server at this address tells of itself, asked for once a second at most.
// A tab that is hidden asks for nothing; one that gets no answer goes on asking, and says since when.

import { System } from "./lab-figures.js";
import { Panels } from "./lab-panels.js";

const STATISTICS = "/1/statistics?actors=5&sort=mailbox";
const EVERY_MS = 1000;
const TIMEOUT_MS = 5000;   // of an answer that does not come; then it is asked for anew
const LATE_S = 3;          // how long an answer may be away before that is said

const at = (id) => document.getElementById(id);
const now = () => performance.now() / 1000;

let system = new System();
const panels = new Panels(at("server"));

let heardAt = now();       // or, until the first answer, since when one is asked for
let isAnswered = false;
let why = "";              // what kept the last answer away
let isPaused = false;
let timer = 0;
let asking = null;

async function ask(signal) {
  const answer = await fetch(STATISTICS, { signal, cache: "no-store" });
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer.json();
}

async function refusal(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return `HTTP ${answer.status}`;  // a proxy says so, in whatever form
  }
}

async function look() {
  const begun = performance.now(), mine = new AbortController();
  const tooLate = setTimeout(() => mine.abort(), TIMEOUT_MS);
  let seen = null;
  asking = mine;
  why = "";
  try {
    seen = await ask(mine.signal);
  } catch (error) {
    if (error.name === "Error") why = error.message;  // else nobody answered, or not in time
  }
  clearTimeout(tooLate);
  if (asking !== mine) return;  // nobody looks any more
  timer = setTimeout(look, Math.max(0, EVERY_MS - (performance.now() - begun)));
  const wasAnswered = isAnswered;
  isAnswered = seen !== null;
  if (isAnswered) {
    if (!wasAnswered) panels.interrupt(Date.now() / 1000);
    heardAt = now();
    system.take(seen, heardAt);
    panels.show(system.figures(heardAt), Date.now() / 1000);
  }
  showLink();
}

function rest() {
  clearTimeout(timer);
  asking?.abort();
  asking = null;
}

function goOn() {
  if (isPaused || document.hidden || asking) return;
  system = new System();  // a rate over a time in which nobody looked would be none of now
  isAnswered = false;
  heardAt = now();
  look();
}

// The seconds stand beside what a screen reader is told, or it would tell each of them.
function showLink() {
  const away = now() - heardAt;
  const isAway = !isPaused && (away > LATE_S || !isAnswered && why !== "");
  tell("link", isPaused ? "paused" : isAway ? "no answer" : isAnswered ? "live" : at("link").textContent);
  tell("since", isAway ? `since ${Math.floor(away)} s${why && `: ${why}`} (asked again every second)` : "");
  document.body.classList.toggle("away", isAway);
}

function tell(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

at("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  at("pause").textContent = isPaused ? "Go on" : "Pause";
  if (isPaused) rest(); else goOn();
  showLink();
});
document.addEventListener("visibilitychange", () => { if (document.hidden) rest(); else goOn(); });
setInterval(() => { if (!document.hidden) showLink(); }, EVERY_MS);
goOn();
