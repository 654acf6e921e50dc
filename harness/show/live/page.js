// A trial while it is made: what the harness sees of its fans, and beside it what the server tells of itself, drawn as the
// server's own page draws it (common/http/site). What is new is asked for once a second at most, in a hidden tab too:
// it is to have the result when the trial is over, and who would tell it then is gone soon after.

import { Chart } from "/site/lab-charts.js";
import { element, Frame } from "/site/lab-elements.js";
import { System } from "/site/lab-figures.js";
import { Panels } from "/site/lab-panels.js";
import { count, rate } from "/site/lab-units.js";

const EVERY_MS = 1000;

const at = (id) => document.getElementById(id);
const key = document.querySelector("meta[name=key]").content;

const FRAMES = [
  { id: "trial-fans", title: "fans of the trial", about: "since it began", names: ["connected", "answered"], write: count, least: 1 },
  { id: "receipts", title: "receipts/s", about: "what all fans receive", names: ["receipts_per_s"], write: rate },
];
const frames = FRAMES.map(({ write, least, ...words }) => {
  const frame = new Frame(at("trial"), words);
  const chart = new Chart(frame.chart, words.names.length, write, { least });
  return (moments) => {
    if (!moments.at_s) return;
    const columns = words.names.map((name) => moments[name]);
    frame.tell(columns.map((column) => write(column.at(-1))));
    chart.draw([moments.at_s, ...columns]);
  };
});

let server = null;  // what shows it, once it tells of itself
const pages = new Set();

function show(now) {
  at("phase").textContent = now.phase;
  at("count").textContent = now.total ? `${count(now.done)} of ${count(now.total)}` : "";
  if (now.total) at("done").value = now.done / now.total; else at("done").removeAttribute("value");
  at("tables").textContent = now.tables;
  for (const draw of frames) draw(now.moments);
  if (now.nodes.length) showServer(now.nodes);
}

function showServer(nodes) {
  at("own").hidden = false;
  server ??= { system: new System(), panels: new Panels(at("server")) };
  const moment = performance.now() / 1000;
  for (const { page, statistics } of nodes) {
    server.system.take(statistics, moment);
    if (!pages.has(page)) at("pages").append(" ", element("a", { href: page }, page));
    pages.add(page);
  }
  server.panels.show(server.system.figures(moment), Date.now() / 1000);
}

async function look() {
  try {
    const now = await (await fetch("/now", { cache: "no-store" })).json();
    if (now.over) { location.replace("/result"); return; }
    show(now);
  } catch {
    at("phase").textContent = "the harness has ended";
    at("stop").disabled = true;
    return;
  }
  setTimeout(look, EVERY_MS);
}

at("stop").addEventListener("click", async () => {
  at("stop").disabled = true;
  const answer = await fetch("/stop", { method: "POST", headers: { "X-Key": key } });
  at("said").textContent = answer.ok ? "it is being ended: what was seen is kept" : "it would not be ended";
});
look();
