// One match, as it stands and as it goes on. It watches by server-sent events, at the address that it came from:
// GET /1/match/<id>/stream says first where the match stands, then each event (common/wire/streamed.py).
// All that others have named or written is put into the page as text.

const RETRY_S = 5;
const DELAYED_AFTER_MS = 2000;
const COMES_BACK_MS = 10000;  // of a match that has not begun the server sends the status alone; a browser asks again and again
const GOAL_SHOWN_MS = 15000;
const PERIODS = {
  not_started: "not started yet", first: "first half", halftime: "half-time", last: "second half",
  first_extra: "first half of extra time", halftime_extra: "half-time of extra time", last_extra: "second half of extra time",
  penalties: "penalty shoot-out", ended: "full time",
};
const KINDS = {
  start: "Kick-off", halftime_start: "Half-time", halftime_stop: "The break is over", extratime: "Extra time",
  penalties: "Penalty shoot-out", stop: "Full time", goal: "Goal", card: "card", substitution: "Substitution", shot: "Shot",
  save: "Save", corner: "Corner", goalkick: "Goal kick", offside: "Offside", foul: "Foul", penalty: "Penalty",
  freekick: "Free kick", throwin: "Throw-in",
};
const FIRST_MINUTE = { first: 0, last: 45, first_extra: 90, last_extra: 105 };
// Into which period a match goes from another; the rules of the server are in common/domain/rules.py.
const NEXT = {
  start: () => "first",
  halftime_start: (period) => (period === "first_extra" ? "halftime_extra" : "halftime"),
  halftime_stop: (period) => (period === "halftime_extra" ? "last_extra" : "last"),
  extratime: () => "first_extra",
  penalties: () => "penalties",
  stop: () => "ended",
};

const at = (id) => document.getElementById(id);
const id = location.pathname.split("/")[2] ?? "";
const url = `/1/match/${id}/stream`;

const match = { home: "", visit: "", score: {}, players: {}, period: "", isOver: false };
const clock = { period: "", beganAt: null };  // which half is being played, and since when, as far as that was heard
let last = "";                                // the place of what was heard last
let source = null;
let why = "";                                 // what the server said when it ended the connection
let delay = "";                               // why what is shown may be late
let delayedTimer = 0;
let goalTimer = 0;

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

const player = (one) => `${one.name} (${one.number})`;

function whatHappened(event) {
  const { kind, details } = event;
  const words = [kind === "card" ? `${details.card === "red" ? "Red" : "Yellow"} card` : KINDS[kind] ?? kind];
  if (kind === "goal") words[0] += ` for ${details.team}`;
  if (details.player) words.push(player(details.player));
  if (details.player_out) words.push(`${player(details.player_out)} off, ${player(details.player_in)} on`);
  if (details.player_team && details.player_team !== details.team) words.push("own goal");
  else if (details.team && kind !== "goal") words.push(details.team);
  if (details.comment) words.push(details.comment);
  return words.join(", ");
}

function advance(time, { kind, at: moment }) {
  if (!(kind in NEXT)) return;
  time.period = NEXT[kind](time.period);
  time.beganAt = time.period in FIRST_MINUTE ? Date.parse(moment) : null;
}

function minuteOf(time, moment) {
  if (time.beganAt === null) return "";
  return `${FIRST_MINUTE[time.period] + 1 + Math.floor((Date.parse(moment) - time.beganAt) / 60000)}'`;
}

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

function row(event, time) {
  const made = document.createElement("li");
  if (event.kind === "goal") made.className = "goal-event";
  const ofDay = new Date(event.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const when = element("time", minuteOf(time, event.at) || ofDay);
  when.dateTime = event.at;
  made.append(when, element("span", whatHappened(event), "what"));
  return made;
}

// What was before: the API has it, which is under the same address where a proxy stands in front (matchstream nginx).
async function readHistory(status) {
  const time = { period: "", beganAt: null }, rows = [];
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
