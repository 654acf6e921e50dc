// One match, as it stands and as it goes on. It watches by server-sent events, at the address that it came from:
// GET /1/match/<id>/stream says first where the match stands, then each event (common/wire/streamed.py).
// All that others have named or written is put into the page as text.

import { PERIODS, advance, at, clockAtStart, element, minuteOf, row, whatHappened } from "/site/telling.js";

const RETRY_S = 5;
const DELAYED_AFTER_MS = 2000;
const COMES_BACK_MS = 10000;  // of a match that has not begun the server sends the status alone; a browser asks again and again
const GOAL_SHOWN_MS = 15000;

const id = location.pathname.split("/")[2] ?? "";
const url = `/1/match/${id}/stream`;

const match = { home: "", visit: "", score: {}, players: {}, period: "", isOver: false };
const clock = clockAtStart();
let last = "";         // the place of what was heard last
let source = null;
let why = "";          // what the server said when it ended the connection
let delay = "";        // why what is shown may be late
let delayedTimer = 0;
let goalTimer = 0;

function show() {
  for (const side of ["home", "visit"]) {
    at(side).textContent = at(`${side}-name`).textContent = match[side];
    at(`${side}-score`).textContent = match.score[side];
    at(`${side}-players`).replaceChildren(...match.players[side].map((one) => {
      const row = document.createElement("li");
      row.append(element("span", one.number, "number"), " ", element("span", one.name));
      return row;
    }));
  }
  at("period").textContent = PERIODS[match.period] ?? match.period;
  document.title = `${match.home} ${match.score.home} : ${match.score.visit} ${match.visit}`;
}

function takeStatus({ details, missed }) {
  for (const side of ["home", "visit"]) {
    match[side] = details[side];
    match.score[side] = details[`${side}_score`];
    match.players[side] = details[`${side}_players`];
  }
  match.period = details.period;
  match.isOver = details.period === "ended";
  if (clock.period !== match.period) Object.assign(clock, { period: match.period, beganAt: null });
  at("missed").textContent = missed ?? "";
  at("missed").hidden = !missed;
}

function apply(event) {
  const { kind, details } = event;
  const side = details.team === match.home ? "home" : "visit";
  advance(clock, event);
  match.period = clock.period;
  match.isOver = kind === "stop";
  if (kind === "start") {
    match.players = { home: details.home_players, visit: details.visit_players };
    match.score = { home: 0, visit: 0 };
  } else if (kind === "goal") {
    match.score[side] += 1;
  } else if (kind === "substitution") {
    match.players[side] = match.players[side].map((one) => (one.number === details.player_out.number ? details.player_in : one));
  } else if (kind === "card" && details.card === "red") {
    match.players[side] = match.players[side].filter((one) => one.number !== details.player.number);
  }
  at("events").prepend(row(event, clock));
  at("minute").textContent = minuteOf(clock, event.at);
  if (kind === "goal") cheer(event);
}

// What was before: the API has it, which is under the same address where a proxy stands in front (matchstream nginx).
async function readHistory(status) {
  const time = clockAtStart(), rows = [];
  for (let after = 0; after !== null;) {
    const answer = await fetch(`/1/match/${id}/history?after=${after}`);
    if (!answer.ok) return;
    const page = await answer.json();
    for (const event of page.events.filter(({ seq }) => seq <= status.seq)) {
      advance(time, event);
      rows.unshift(row(event, time));
    }
    after = page.next;
  }
  at("events").append(...rows);
  if (clock.period === time.period && clock.beganAt === null) clock.beganAt = time.beganAt;
}

function cheer(event) {
  const goal = at("goal");
  goal.hidden = true;  // and shown again, so that it is told again
  goal.textContent = `${whatHappened(event)}: ${match.home} ${match.score.home}, ${match.visit} ${match.score.visit}`;
  void goal.offsetWidth;
  goal.hidden = false;
  clearTimeout(goalTimer);
  goalTimer = setTimeout(() => { goal.hidden = true; }, GOAL_SHOWN_MS);
}

function tell(text) {
  clearTimeout(delayedTimer);
  delayedTimer = 0;
  at("link").textContent = text;
  at("link").classList.remove("delayed");
}

// An interruption that is over at once needs no word.
function tellDelay(text) {
  delay = text;
  delayedTimer ||= setTimeout(showDelay, match.period === "not_started" ? COMES_BACK_MS : DELAYED_AFTER_MS);
  if (at("link").classList.contains("delayed")) showDelay();
}

function showDelay() {
  at("link").textContent = `delayed: ${delay}`;
  at("link").classList.add("delayed");
}

function hear(message) {
  const event = JSON.parse(message.data);
  if (event.kind === "status") {
    takeStatus(event);
    if (!last) readHistory(event).catch(() => {});  // it is more than this page needs
  } else {
    apply(event);
  }
  last = message.lastEventId;
  show();
  tell(match.period === "not_started" ? "waiting for the kick-off" : "live");
  if (match.isOver) end();
}

function end() {
  source.close();
  tell("the match is over");
}

function watch() {
  source = new EventSource(last ? `${url}?after=${encodeURIComponent(last)}` : url);
  source.onmessage = hear;
  for (const type of ["goodbye", "refused"]) {
    source.addEventListener(type, (message) => { why = JSON.parse(message.data).error; });
  }
  source.onopen = () => {
    why = "";
    if (last && match.period !== "not_started") tell("live");  // what was missed, if anything was, comes now
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) askWhy();
    else if (last) tellDelay(why || "the connection was lost; what follows will be made up for");
    else tell(why || "the server is not there");
  };
}

// A status other than 200 ends an EventSource, and it does not say which; so it is asked for once more.
async function askWhy() {
  let again = RETRY_S;
  try {
    const given = new AbortController();
    const answer = await fetch(source.url, { signal: given.signal, cache: "no-store" });
    if (answer.status === 204) return end();
    if (answer.ok) given.abort();
    else {
      const problem = await answer.json();
      if (answer.status === 404 || answer.status === 400) return tell(problem.error);
      again = Number(answer.headers.get("Retry-After")) || RETRY_S;
      tellDelay(problem.error);
    }
  } catch {
    tellDelay("the server is not there");
  }
  setTimeout(watch, again * 1000 * (1 + Math.random()));
}

if (id) watch();
else tell("which match? Its id is the last part of this address: /match/<id>");
