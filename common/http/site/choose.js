// Which match is reported: those that there are, and new ones. A team is put before a match is announced.

import { ask, freshKey } from "/site/api.js";
import { PERIODS, at, element } from "/site/telling.js";

let next = "";

export async function listMatches() {
  const answer = await ask("GET", `/1/matches?limit=20&after=${encodeURIComponent(next)}`);
  if (!answer.isDone) return answer.error;
  if (!next) at("matches").replaceChildren();
  at("matches").append(...answer.value.matches.map((match) => {
    const made = document.createElement("li"), link = document.createElement("a");
    link.href = `/report/${encodeURIComponent(match.id)}`;
    link.append(element("span", `${match.home} – ${match.visit}`), element("span", `${match.date}, ${PERIODS[match.period]}`, "quiet"));
    made.append(link);
    return made;
  }));
  next = answer.value.next ?? "";
  at("more-matches").hidden = !next;
  if (!at("matches").children.length) at("matches").append(element("li", "There is no match yet: announce one."));
  return "";
}

const asTeam = ({ id, name, players }) => ({
  id, name, players: players.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const [number, ...names] = line.split(/\s+/);
    return { number: Number(number), name: names.join(" ") };
  }),
});

// Have a form ask for what it says. A key is kept until there is an answer, so that a second tap asks for the same again.
function asks(form, { token, say, request, done }) {
  const keys = new Map();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [method, path, body] = request(Object.fromEntries(new FormData(form)));
    const said = JSON.stringify(body);
    if (!keys.has(said)) keys.set(said, freshKey());
    say("asking …");
    const answer = await ask(method, path, { token: token(), key: keys.get(said), body });
    if (!answer.mayPass) keys.delete(said);
    if (answer.isDone) done(answer.value);
    else say(answer.mayPass ? `${answer.error}: tap again` : `refused: ${answer.error}`);
  });
}

export function offerNewOnes(token, say) {
  asks(at("announce"), {
    token, say,
    request: (fields) => ["POST", "/1/matches", fields],
    done: (match) => location.assign(`/report/${encodeURIComponent(match.id)}`),
  });
  asks(at("team"), {
    token, say,
    request: (fields) => ["PUT", `/1/team/${encodeURIComponent(fields.id)}`, asTeam(fields)],
    done: (team) => say(`team ${team.id} is known, with ${team.players.length} players`),
  });
  at("announce").elements.date.valueAsDate = new Date();
}
