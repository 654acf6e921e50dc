// The page of a reporter. What is tapped becomes a post, posts wait in a queue (queue.js) until the API has answered, and
// what is shown is the match as the API tells it, with those on the field who will be there when the queue is empty.
// The token is in this tab and in a header, and nowhere else.

import { NOT_OURS, ask, checkToken, isMatch } from "/site/api.js";
import { confirm } from "/site/choice.js";
import { listMatches, offerNewOnes } from "/site/choose.js";
import { Field } from "/site/field.js";
import { drop, isFleeting, keep, kept } from "/site/kept.js";
import { Known, deliver, versionAt } from "/site/meanwhile.js";
import { PostLists } from "/site/posts.js";
import { Queue } from "/site/queue.js";
import { MOST_PLAYERS, after, isLive, isTwin, toldAs } from "/site/rules.js";
import { PERIODS, advance, at, clockAtStart, element, minuteOf, row, whatHappened } from "/site/telling.js";

const READ_EVERY_MS = 3000;
const SHOWN_EVENTS = 30;
// A second tap within that time is one that came by accident: anywhere, since what was under the finger may have gone; or
// on the same, by who saw nothing happen.
const REST_MS = 600;
const SAME_MS = 3000;
const TOKEN = "matchstream-token";

const id = location.pathname.split("/")[2] ?? "";  // as it is written in a URL
const path = `/1/match/${id}`;

let token = kept(TOKEN) ?? "";
let match = null;             // as the API told it last
let version = "";             // of that
let last = null;              // the last event that is shown
let known = new Known();      // which events this reporter knows
let clock = clockAtStart();
let news = [];                // what others have reported, and was not said yet
let aheadMs = 0;              // how far the server's clock is before this one
let isReading = false;
let isWanted = false;
let isAway = false;           // as far as the last reading told
let restTimer = 0;
const tapped = new Map();     // when what was tapped last

const field = new Field(tap);
const queue = new Queue((entry) => deliver(entry, token), heard, () => Boolean(token));
const posts = new PostLists(queue, id, say);

// That something still waits is not said again: it would be read out once more.
function say(text, className = "") {
  if (className !== "waiting" || at("said").textContent !== text) at("said").textContent = text;
  at("said").className = `said ${className}`;
}

function complain(text) {
  at("wrong").textContent = text;
  at("wrong").hidden = !text;
}

function doubt(text) {
  at("doubt").textContent = text;
  at("doubt").hidden = !text;
}

// What is tapped: the same again at once is the same.
function tap(post, button) {
  const words = (told) => whatHappened(toldAs(match, told));
  const same = JSON.stringify([expected().period, post]), now = performance.now(), comment = at("remark").value.trim();
  rest();
  if (now - (tapped.get(same) ?? -SAME_MS) < SAME_MS) return say(`Tapped already: ${words(post)}`);
  tapped.set(same, now);
  if (button) {
    button.classList.add("tapped");
    setTimeout(() => button.classList.remove("tapped"), SAME_MS);
  }
  at("remark").value = "";
  const told = comment ? { ...post, comment } : post;
  const upTo = last ? known.upTo : match.seq;  // of what is not read yet the score, at least, is seen
  queue.add({
    match: id, method: "POST", path: `${path}/events`, version: versionAt(version, upTo), post: told, words: words(told),
  });
}

// What is confirmed is what was read: what comes while it is asked makes it another match (If-Match).
function cancel() {
  rest();
  const entry = { match: id, method: "DELETE", path, version, words: `Cancel the match ${match.id}` };
  const events = match.seq === 1 ? "its event" : `its ${match.seq} events`;
  confirm(`Cancel ${match.id}? It is deleted with ${events}, for good, and its fans are let go.`, "Cancel the match",
    () => queue.add(entry));
}

// What waits of this match, and how that will stand when the queue is empty; null if it will be no more.
const waiting = () => queue.waiting.filter((entry) => entry.match === id);
const expected = () => waiting().reduce((now, { post }) => now && post && after(now, post), match) ?? null;

function rest() {
  document.body.classList.add("resting");
  clearTimeout(restTimer);
  restTimer = setTimeout(() => document.body.classList.remove("resting"), REST_MS);
}

document.addEventListener("click", (event) => {
  if (!document.body.classList.contains("resting")) return;
  rest();  // and longer, while a key is held down
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

// The queue has changed; if by an answer, then to that entry.
function heard(entry, answer) {
  if (answer?.isDone) {
    say(`Accepted: ${entry.words}`, "accepted");
    if (entry.match === id && entry.post) accepted(entry.post, answer.value.seq);
    read();
  } else if (answer?.status === 401) {
    signOut(answer.error);
  } else if (answer?.mayPass) {
    say(`Waiting: ${answer.error}`, "waiting");
  } else if (answer) {
    say(`Refused: ${answer.error}`, "refused");
    if (answer.status === 412) read();
  }
  posts.draw();
  show();
}

function accepted(post, seq) {
  known.add(seq);
  if (match?.seq + 1 !== seq) return;
  match = { ...after(match, post), seq };
  version = versionAt(version, seq);
}

function show() {
  at("sign-in").hidden = Boolean(token);
  at("foot").hidden = false;
  at("others").hidden = !id;
  at("sign-out").hidden = !token;
  at("announcing").hidden = !token;
  at("fleeting").hidden = !isFleeting();
  at("told").hidden = !match || !last;
  const then = expected();
  at("cancel").hidden = !token || !then;
  at("line-ups").hidden = !token || then?.period !== "not_started";
  at("playing").hidden = !token || !then || !isLive(then);
  if (!match) {
    document.title = at("title").textContent = "Report a match";
    at("when").textContent = "";
    return;
  }
  const score = `${match.home} ${match.home_score} : ${match.visit_score} ${match.visit}`;
  document.title = at("title").textContent = score;
  at("when").textContent = [PERIODS[match.period] ?? match.period, minuteNow()].filter(Boolean).join(", ");
  if (!at("line-ups").hidden) offerLineUps();
  if (then) field.draw(then);
}

function minuteNow() {
  return clock.period === match.period ? minuteOf(clock, new Date(Date.now() + aheadMs).toISOString()) : "";
}

// Both squads, once; who stands first in a squad is chosen beforehand.
function offerLineUps() {
  for (const side of ["home", "visit"]) {
    const squad = JSON.stringify(match[`${side}_squad`]);
    if (at(`${side}-squad`).dataset.shown === squad) continue;
    at(`${side}-squad`).dataset.shown = squad;
    at(`${side}-squad`).replaceChildren(...match[`${side}_squad`].map((one, place) => {
      const made = document.createElement("label"), box = document.createElement("input");
      Object.assign(box, { type: "checkbox", value: one.number, checked: place < MOST_PLAYERS });
      box.addEventListener("change", countChosen);
      made.append(box, element("span", one.number, "number"), " ", element("span", one.name));
      return made;
    }));
  }
  countChosen();
}

const chosen = (side) => [...at(`${side}-squad`).querySelectorAll(":checked")].map((box) => Number(box.value));

function countChosen() {
  for (const side of ["home", "visit"]) at(`${side}-line-up`).textContent = `${match[side]}: ${chosen(side).length} of ${MOST_PLAYERS}`;
}

// Read the match, and the events that are new. Who asks meanwhile has it read once more.
async function read() {
  if (!id) return;
  isWanted = true;
  if (isReading) return;
  isReading = true;
  while (isWanted) {
    isWanted = false;
    await readOnce();
  }
  isReading = false;
}

async function readOnce() {
  const answer = await ask("GET", path);
  if (!answer.isDone) return notRead(answer);
  if (!isMatch(answer.value) || !answer.version) return complain(NOT_OURS);
  complain("");
  if (isAway) say("The server answers again");
  isAway = false;
  match = answer.value;
  version = answer.version;
  aheadMs = answer.now - Date.now();
  at("choose").hidden = true;
  show();
  await readEvents();
  if (news.length) sayNews();
  show();
  if (queue.waiting[0]?.tries) queue.go();
}

function notRead(answer) {
  if (answer.mayPass) {
    isAway = true;
    return say(`Waiting: ${answer.error}`, "waiting");
  }
  if (answer.status !== 404) return complain(answer.error);
  complain(`There is no match ${id} here: choose one, or announce it`);
  match = null;
  show();
  if (at("choose").hidden) choose();
}

// The last event that is shown is read again: if it is another one now, the match was announced anew, or the store was set
// back, and all of them are.
async function readEvents() {
  if (last && match.seq < last.seq) forgetEvents();
  let isFirst = !last;
  let number = last ? last.seq - 1 : 0;
  while (number !== null && number < match.seq && match.last_at !== last?.at) {
    const answer = await ask("GET", `${path}/history?limit=1000&after=${number}`);
    if (!answer.isDone) return;
    const [first] = answer.value.events;
    number = answer.value.next;
    if (last && first.seq === last.seq && first.at !== last.at) {
      forgetEvents();
      number = 0;
      isFirst = true;
    } else {
      answer.value.events.filter(({ seq }) => seq > (last?.seq ?? 0)).forEach((event) => showEvent(event, isFirst));
    }
  }
}

function forgetEvents() {
  last = null;
  known = new Known();
  clock = clockAtStart();
  at("events").replaceChildren();
}

// Show an event. One that is news to this reporter is said, and marked; but not while it may be one of its own, of which the
// answer is not here yet.
function showEvent(event, isFirst) {
  advance(clock, event);
  const made = row(event, clock);
  if (isFirst) known.add(event.seq);
  known.show(event.seq);
  const isOneOf = (entries) => entries.some(({ match: whose, post }) => whose === id && post && isTwin(post, event));
  if (token && !known.has(event.seq) && !isOneOf(queue.waiting)) {
    made.append(element("span", "another reporter", "by"));
    if (!isOneOf(queue.refused)) news.push(whatHappened(event));  // else it was said with that
  }
  at("events").prepend(made);
  if (at("events").children.length > SHOWN_EVENTS) at("events").lastChild.remove();
  last = event;
}

// Say what others have reported. What of one's own was just accepted has to be seen, too.
function sayNews() {
  const said = at("said").classList.contains("accepted") ? ` – ${at("said").textContent}` : "";
  say(`Another reporter: ${news.join("; ")}${said}`, "other");
  news = [];
}

async function choose() {
  at("choose").hidden = false;
  const problem = await listMatches();
  if (problem) say(problem);
}

function signOut(why = "") {
  token = "";
  drop(TOKEN);
  doubt(why);
  show();
  at("token").focus();
}

at("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = at("token").value.trim();
  const answer = await checkToken(given);
  if (![400, 422].includes(answer.status)) return doubt(answer.error);  // a 401, if nothing worse
  doubt("");
  token = given;
  keep(TOKEN, token);
  at("token").value = "";
  say("Signed in");
  show();
  document.querySelector("main").focus();
  queue.go();
});
at("sign-out").addEventListener("click", () => { signOut(); say("Signed out"); });
at("cancel").addEventListener("click", cancel);
at("more-matches").addEventListener("click", choose);
at("line-ups").addEventListener("submit", (event) => {
  event.preventDefault();
  tap({ kind: "start", home_players: chosen("home"), visit_players: chosen("visit") }, null);
});
addEventListener("online", () => { queue.go(); read(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) read(); });
addEventListener("beforeunload", (event) => { if (queue.waiting.length) event.preventDefault(); });
setInterval(() => { if (!document.hidden) read(); }, READ_EVERY_MS);

at("open").hidden = isSecureContext;
offerNewOnes(() => token, say);
posts.draw();
show();
if (id) read();
else choose();
queue.go();
