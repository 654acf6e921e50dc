// Who is on the field, and a button for all that they can do; two teams beside each other, or one at a time on a phone.
// Nothing is asked here: `post` is called with what a tap says.

import { button, choose } from "/site/choice.js";
import { PLAYS, bench, turns } from "/site/rules.js";
import { KINDS, at, element } from "/site/telling.js";

const SIDES = ["home", "visit"];
const EXTRA_WORDS = { ...KINDS, halftime_stop: "Break over" };

export class Field {
  #post;
  #match = null;
  #drawn = {};

  constructor(post) {
    this.#post = post;
    for (const side of SIDES) {
      at(`show-${side}`).addEventListener("click", () => this.#show(side));
      at(`${side}-players`).addEventListener("keydown", walk);
    }
  }

  // Show a match; what is as it was before is left alone, so that nothing moves under a finger.
  draw(match) {
    this.#match = match;
    for (const side of SIDES) {
      this.#once(`${side}-players`, match[`${side}_players`], () => this.#drawPlayers(side));
      this.#once(`${side}-plays`, match[side], () => this.#drawPlays(side));
    }
    this.#once("turns", [match.home, match.period], () => this.#drawTurns());
  }

  #once(name, shown, draw) {
    const now = JSON.stringify(shown);
    if (this.#drawn[name] !== now) draw();
    this.#drawn[name] = now;
  }

  #show(side) {
    at("field").dataset.shown = side;
    for (const each of SIDES) at(`show-${each}`).setAttribute("aria-pressed", each === side);
  }

  #drawPlayers(side) {
    const list = at(`${side}-players`);
    const focused = placeOf(list, document.activeElement);
    list.replaceChildren(...this.#match[`${side}_players`].map((one) => this.#player(side, one)));
    focusAt(list, focused);
  }

  #player(side, one) {
    const { number, name } = one, team = this.#match[side], who = `${number} ${name}`;
    const says = (text, words, className, post) =>
      button(text, `${words}, ${who}`, className, (event) => this.#post({ team, player: number, ...post }, event.target));
    const row = document.createElement("li");
    const more = button("", `More of ${who}`, "who", () => this.#more(side, one));
    more.append(element("span", number, "number"), " ", element("span", name, "name"));
    row.append(
      more,
      says("Goal", "Goal", "goal", { kind: "goal" }),
      says("Y", "Yellow card", "card yellow", { kind: "card", card: "yellow" }),
      says("R", "Red card", "card red", { kind: "card", card: "red" }),
      button("Sub", `Substitute, ${who}`, "", () => this.#substitute(side, one)),
    );
    return row;
  }

  #more(side, { number, name }) {
    const team = this.#match[side], other = this.#match[side === "home" ? "visit" : "home"];
    const plays = PLAYS.map((kind) => [KINDS[kind], { kind, team, player: number }]);
    const own = ["Own goal", { kind: "goal", team: other, player: number, player_team: team }];
    this.#choose(`${number} ${name}`, [...plays, own]);
  }

  #substitute(side, { number, name }) {
    const team = this.#match[side];
    const offered = bench(this.#match, side).map((one) =>
      [`${one.number} ${one.name}`, { kind: "substitution", team, player_out: number, player_in: one.number }]);
    this.#choose(offered.length ? `Who comes in for ${number} ${name}?` : "Nobody is left who may come in", offered);
  }

  #drawPlays(side) {
    const team = this.#match[side];
    at(`${side}-name`).textContent = at(`show-${side}`).textContent = team;
    at(`${side}-plays`).replaceChildren(...PLAYS.map((kind) =>
      button(KINDS[kind], `${KINDS[kind]}, ${team}`, "", (event) => this.#post({ kind, team }, event.target))));
  }

  // What takes the match on. After its end nothing can follow, so that takes a second tap.
  #drawTurns() {
    const made = turns(this.#match).map((kind) => button(EXTRA_WORDS[kind], "", "", (event) => {
      if (kind === "stop") this.#choose("End the match? Nothing can follow.", [["Full time", { kind }]]);
      else this.#post({ kind }, event.target);
    }));
    at("turns").replaceChildren(...made);
  }

  #choose(title, offered) {
    choose(title, offered, (post) => this.#post(post, null));
  }
}

// Where the focus is: in which row, and at which of its buttons.
function placeOf(list, focused) {
  if (!list.contains(focused)) return null;
  const row = focused.closest("li");
  return [[...list.children].indexOf(row), [...row.children].indexOf(focused)];
}

function focusAt(list, place) {
  if (!place || !list.children.length) return;
  const row = list.children[Math.min(place[0], list.children.length - 1)];
  row.children[place[1]].focus();
}

// Arrows lead from button to button, as Tab does, which would take five steps for a player.
function walk(event) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const place = placeOf(event.currentTarget, event.target);
  if (!step || !place) return;
  event.preventDefault();
  event.currentTarget.children[place[0] + step[0]]?.children[place[1] + step[1]]?.focus();
}
