// What follows from a post, as far as a page has to know it before the server has answered; pure. The server's own rules
// (common/domain/rules.py) decide: what they refuse counts for nothing here either, once they have.

import { NEXT } from "/site/telling.js";

// Kinds that change nothing, and may name a player or the team alone.
export const PLAYS = ["shot", "save", "corner", "goalkick", "offside", "foul", "penalty", "freekick", "throwin"];
export const MOST_PLAYERS = 11;

export const isLive = (match) => !["not_started", "ended"].includes(match.period);
const find = (players, number) => players.find((one) => one.number === number);

// Which kinds would take the match from its period into another.
export const turns = (match) => Object.keys(NEXT).filter((kind) => match.period in NEXT[kind]);

// Who may still come in.
export function bench(match, side) {
  return match[`${side}_squad`].filter(({ number }) =>
    !find(match[`${side}_players`], number) && !match[`${side}_gone`].includes(number));
}

// The match as it stands after a post. One that is impossible, or that is part of it already, changes nothing.
export function after(match, post) {
  const side = post.team === match.home ? "home" : "visit";
  const [squad, players, gone] = ["squad", "players", "gone"].map((what) => match[`${side}_${what}`]);
  const leave = (number, staying) => find(players, number) && {
    [`${side}_players`]: staying, [`${side}_gone`]: [...gone, number],
  };
  const next = { ...match, period: NEXT[post.kind]?.[match.period] ?? match.period };
  if (post.kind === "start" && match.period === "not_started") {
    for (const each of ["home", "visit"]) {
      next[`${each}_players`] = post[`${each}_players`].map((number) => find(match[`${each}_squad`], number));
    }
  } else if (post.kind === "goal") {
    next[`${side}_score`] += 1;
  } else if (post.kind === "card" && post.card === "red") {
    Object.assign(next, leave(post.player, players.filter(({ number }) => number !== post.player)));
  } else if (post.kind === "substitution") {
    const comes = find(squad, post.player_in);
    Object.assign(next, leave(post.player_out, players.map((one) => (one.number === post.player_out ? comes : one))));
  }
  return next;
}

// Whether an event may tell what a post tells. Of one goal two reporters may name two players, and of a play one of them none.
export function isTwin(post, { kind, details }) {
  if (kind !== post.kind || details.team !== post.team) return false;
  if (kind === "card") return details.card === post.card && details.player.number === post.player;
  if (kind === "substitution") return details.player_out.number === post.player_out;
  return !PLAYS.includes(kind) || !details.player || !post.player || details.player.number === post.player;
}

// A post as the event that it will be, if it is accepted: with players in place of their numbers.
export function toldAs(match, post) {
  const side = (post.player_team ?? post.team) === match.home ? "home" : "visit";
  const details = { ...post };
  for (const field of ["player", "player_in", "player_out"]) {
    if (field in post) details[field] = find(match[`${side}_squad`], post[field]);
  }
  return { kind: post.kind, details };
}
