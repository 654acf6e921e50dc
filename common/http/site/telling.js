// How a match is told, for all pages: words for what happened, and the minute in which it did.
// What others have named or written becomes text here, never markup.

export const PERIODS = {
  not_started: "not started yet", first: "first half", halftime: "half-time", last: "second half",
  first_extra: "first half of extra time", halftime_extra: "half-time of extra time", last_extra: "second half of extra time",
  penalties: "penalty shoot-out", ended: "full time",
};
export const KINDS = {
  start: "Kick-off", halftime_start: "Half-time", halftime_stop: "The break is over", extratime: "Extra time",
  penalties: "Penalty shoot-out", stop: "Full time", goal: "Goal", card: "card", substitution: "Substitution", shot: "Shot",
  save: "Save", corner: "Corner", goalkick: "Goal kick", offside: "Offside", foul: "Foul", penalty: "Penalty",
  freekick: "Free kick", throwin: "Throw-in",
};
// Into which period a match goes from another; the rules of the server are in common/domain/rules.py.
export const NEXT = {
  start: { not_started: "first" },
  halftime_start: { first: "halftime", first_extra: "halftime_extra" },
  halftime_stop: { halftime: "last", halftime_extra: "last_extra" },
  extratime: { last: "first_extra" },
  penalties: { last: "penalties", last_extra: "penalties" },
  stop: Object.fromEntries(
    ["first", "halftime", "last", "first_extra", "halftime_extra", "last_extra", "penalties"].map((period) => [period, "ended"]),
  ),
};
const FIRST_MINUTE = { first: 0, last: 45, first_extra: 90, last_extra: 105 };

export const at = (id) => document.getElementById(id);

export function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

const player = (one) => `${one.name} (${one.number})`;

export function whatHappened({ kind, details }) {
  const words = [kind === "card" ? `${details.card === "red" ? "Red" : "Yellow"} card` : KINDS[kind] ?? kind];
  if (kind === "goal") words[0] += ` for ${details.team}`;
  if (details.player) words.push(player(details.player));
  if (details.player_out) words.push(`${player(details.player_out)} off, ${player(details.player_in)} on`);
  if (details.player_team && details.player_team !== details.team) words.push("own goal");
  else if (details.team && kind !== "goal") words.push(details.team);
  if (details.comment) words.push(details.comment);
  return words.join(", ");
}

// Which half is being played, and since when, as far as that was heard.
export const clockAtStart = () => ({ period: "not_started", beganAt: null });

export function advance(clock, { kind, at: moment }) {
  const period = NEXT[kind]?.[clock.period];
  if (period) Object.assign(clock, { period, beganAt: period in FIRST_MINUTE ? Date.parse(moment) : null });
}

export function minuteOf(clock, moment) {
  if (clock.beganAt === null) return "";
  const minutes = Math.floor((Date.parse(moment) - clock.beganAt) / 60000);
  return `${FIRST_MINUTE[clock.period] + 1 + Math.max(0, minutes)}'`;  // of two clocks, one may be late
}

// A line of the list of events.
export function row(event, clock) {
  const made = document.createElement("li");
  if (event.kind === "goal") made.className = "goal-event";
  const ofDay = new Date(event.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const when = element("time", minuteOf(clock, event.at) || ofDay);
  when.dateTime = event.at;
  made.append(when, element("span", whatHappened(event), "what"));
  return made;
}
