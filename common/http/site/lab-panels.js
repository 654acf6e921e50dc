// What the page shows of a system, in the words of `harness top`: charts of the last minutes, tables, and its lessons.

import { LastMinutes } from "./lab-charts.js";
import { element, Frame, put, Table } from "./lab-elements.js";
import { atMost, bytes, count, duration, NOTHING, rate, share, time } from "./lab-units.js";

const MOST_WORKERS = 8;  // so many are shown, those in trouble first
const MOST_ACTORS = 8;   // likewise, those with the longest mailboxes

const bound = (value) => (value ? value.s : null);

// A line of a chart: what it is called, its value of some figures, and that value in words.
const line = (name, of, write) => ({ name, of, write: (figures) => write(of(figures)) });
const boundLine = (name, of) => ({ name, of: (figures) => bound(of(figures)), write: (figures) => atMost(of(figures)) });

const CHARTS = [
  { id: "fans", title: "fans", about: "connected now", write: count, least: 1, lines: [line("fans", ({ fans }) => fans, count)] },
  { id: "accepts", title: "accepts/s", about: "fans who arrive", write: rate, lines: [line("accepts/s", ({ accepts }) => accepts, rate)] },
  { id: "art", title: "ART", about: "from a fan's accept to its answer, within 10 s", write: time, lines: [
    line("mean", ({ art }) => art.mean, time), boundLine("p99", ({ art }) => art.p99),
  ] },
  { id: "fan-out", title: "fan-out", about: "from an event to each fan's copy, within 10 s", write: time, lines: [
    boundLine("p50", ({ fanOut }) => fanOut.p50), boundLine("p99", ({ fanOut }) => fanOut.p99), boundLine("last", ({ fanOut }) => fanOut.last),
  ] },
  { id: "sent", title: "sent/s", about: "what fans are sent after their answer", write: rate, lines: [line("sent/s", ({ sent }) => sent, rate)] },
  { id: "drops", title: "drops/s", about: "fans who are turned away or lost", write: rate, lines: [line("drops/s", ({ dropped }) => dropped, rate)] },
  { id: "lag", title: "lag", about: "of the event loop, the longest within 5 s", write: time, lines: [line("lag", ({ lagS }) => lagS, time)] },
  { id: "queues", title: "queues", about: "what waits in mailboxes, requests for the writer, fans who are behind", write: count, least: 1, lines: [
    line("mailboxes", ({ mailboxes }) => mailboxes, count), line("waits", ({ waits }) => waits, count), line("behind", ({ behind }) => behind, count),
  ] },
  { id: "cpu", title: "CPU", about: "100% is one core", write: share, lines: [line("CPU", ({ cpu }) => cpu, share)] },
];

const yes = (is) => (is === null ? NOTHING : is ? "yes" : "no");

const NODES = [
  { title: "node", of: ({ name, ageS }) => (ageS > 10 ? `${name}, ${Math.floor(ageS)} s ago` : name), isText: true },
  { title: "writer", of: ({ isWriter }) => yes(isWriter), isShown: ({ isWriter }) => isWriter !== null },
  { title: "up", of: ({ upS }) => duration(upS) },
  { title: "fans", of: ({ fans }) => count(fans) },
  { title: "accepts/s", of: ({ accepts }) => rate(accepts) },
  { title: "sent/s", of: ({ sent }) => rate(sent) },
  { title: "drops", of: ({ drops }) => count(drops) },
  { title: "lag", of: ({ lagS }) => time(lagS) },
  { title: "CPU", of: ({ cpu }) => share(cpu) },
  { title: "RSS", of: ({ rssBytes }) => bytes(rssBytes) },
  { title: "files", of: ({ files }) => `${count(files.open)} of ${count(files.limit)}` },
];
const PARTS = [
  { title: "node", of: ({ name }) => name, isText: true },
  { title: "API", of: ({ api }) => count(api && api.connections) },
  { title: "calls/s", of: ({ api }) => rate(api && api.calls) },
  { title: "done/s", of: ({ writer }) => rate(writer && writer.done), isShown: ({ writer }) => writer },
  { title: "failed", of: ({ writer }) => count(writer && writer.failed), isShown: ({ writer }) => writer, isBad: ({ writer }) => writer?.failed > 0 },
  { title: "waits", of: ({ requests }) => count(requests && requests.waiting), isShown: ({ requests }) => requests },
  { title: "no reply", of: ({ requests }) => count(requests && requests.unanswered), isShown: ({ requests }) => requests,
    isBad: ({ requests }) => requests?.unanswered > 0 },
  { title: "channels", of: ({ channels }) => (!channels || channels.is ? count(channels && channels.count) : "away"),
    isShown: ({ channels }) => channels, isBad: ({ channels }) => channels && !channels.is },
  { title: "msgs/s", of: ({ channels }) => rate(channels && channels.messages), isShown: ({ channels }) => channels },
];
const WORKERS = [
  { title: "worker", of: ({ name, answers }) => (answers ? name : `${name} away`), isText: true, isBad: ({ answers }) => !answers },
  { title: "restarts", of: ({ restarts }) => count(restarts), isBad: ({ restarts }) => restarts > 0 },
  { title: "fans", of: ({ fans }) => count(fans) },
  { title: "accepts/s", of: ({ accepts }) => rate(accepts) },
  { title: "sent/s", of: ({ sent }) => rate(sent) },
  { title: "behind", of: ({ behind }) => count(behind) },
  { title: "lag", of: ({ lagS }) => time(lagS) },
  { title: "CPU", of: ({ cpu }) => share(cpu) },
  { title: "PSS", of: ({ pssBytes }) => bytes(pssBytes) },
];
const DROPS = [
  { title: "reason", of: ({ reason }) => reason, isText: true },
  { title: "drops", of: ({ count: all }) => count(all) },
  { title: "within 10 s", of: ({ lately }) => count(lately), isBad: ({ lately }) => lately > 0 },
];
const ACTORS = [
  { title: "actor", of: ({ name }) => name, isText: true },
  { title: "kind", of: ({ kind }) => kind, isText: true },
  { title: "node", of: ({ node }) => node, isText: true, isShown: ({ node }) => node !== null },
  { title: "mailbox", of: ({ mailbox }) => count(mailbox) },
  { title: "per s", of: ({ perS }) => rate(perS) },
  { title: "restarts", of: ({ restarts }) => count(restarts), isBad: ({ restarts }) => restarts > 0 },
];
const DOORS = [
  { title: "door", of: ({ name }) => name, isText: true },
  { title: "watching", of: ({ watching }) => count(watching) },
  { title: "greetings", of: ({ greetings }) => count(greetings) },
  { title: "sent", of: ({ deliveries }) => count(deliveries) },
];

class ChartPanel {
  constructor(root, { write, least, lines, ...words }) {
    this.lines = lines;
    this.frame = new Frame(root, { ...words, names: lines.map(({ name }) => name) });
    this.chart = new LastMinutes(this.frame.chart, lines.length, write, least);
  }

  show(figures, at) {
    this.frame.tell(this.lines.map(({ write }) => write(figures)));
    this.chart.add(at, this.lines.map(({ of }) => of(figures)));
  }

  interrupt(at) {
    this.chart.add(at, this.lines.map(() => null));
  }
}

export class Panels {
  constructor(root) {
    this.whom = element("p", { id: "whom" });
    const charts = element("section", { className: "charts", ariaLabel: "Charts" });
    const tables = element("section", { className: "tables", ariaLabel: "Tables" });
    this.stage = element("h2", {}, "Lessons");
    this.changes = element("p", { id: "changes" });
    this.lessons = element("dl");
    root.append(this.whom, charts, tables, element("aside", { id: "lessons" }, this.stage, this.changes, this.lessons));
    this.charts = CHARTS.map((chart) => new ChartPanel(charts, chart));
    this.tables = [
      [new Table(tables, "Nodes", NODES), ({ nodes }) => nodes],
      [new Table(tables, "Their parts", PARTS), ({ nodes }) => nodes.filter(({ api }) => api)],
      [new Table(tables, "Workers", WORKERS), ({ workers }) => workers.slice(0, MOST_WORKERS)],
      [new Table(tables, "Drops by reason", DROPS), ({ drops }) => drops],
      [new Table(tables, "Browsers by door", DOORS), ({ doors }) => doors],
      [new Table(tables, "Longest mailboxes", ACTORS), ({ actors }) => actors.slice(0, MOST_ACTORS)],
    ];
  }

  // `at` is the moment, in seconds since 1970.
  show(figures, at) {
    put(this.whom, whom(figures));
    for (const chart of this.charts) chart.show(figures, at);
    for (const [table, rows] of this.tables) table.show(rows(figures));
    this.showLessons(figures.stage);
  }

  // Nobody looked until `at`, or nobody answered: what comes now is not joined to what was before.
  interrupt(at) {
    for (const chart of this.charts) chart.interrupt(at);
  }

  showLessons(stage) {
    const told = JSON.stringify(stage);
    if (told === this.told) return;
    this.told = told;
    put(this.stage, stage ? `Lessons of this server, stage ${stage.name}` : "Lessons");
    put(this.changes, stage ? changes(stage) : "This server is of a version that does not tell them.");
    this.lessons.replaceChildren(...(stage?.lessons ?? []).map(({ name, teaches }) => (
      element("div", {}, element("dt", {}, name), element("dd", {}, teaches))
    )));
  }
}

function changes({ lessons, left_out: leftOut, added }) {
  const told = [lessons.length === 0 ? "It has none: it is the baseline." : `Lessons that it has: ${lessons.length}.`];
  if (leftOut.length) told.push(`It goes without ${leftOut.join(", ")}.`);
  if (added.length) told.push(`Of later stages it has ${added.join(", ")}.`);
  return told.join(" ");
}

function whom({ nodes, workers }) {
  const [first] = nodes;
  const hidden = workers.length > MOST_WORKERS ? ` The ${MOST_WORKERS} in most trouble are shown.` : "";
  const served = workers.length ? ` Fans are served by ${workers.length === 1 ? "one worker" : `${count(workers.length)} workers`}.${hidden}` : "";
  if (nodes.length > 1) return `${nodes.length} nodes answer: counts and rates are those of all.${served}`;
  if (first.isWriter === false) {
    return `Node ${first.name}, one of several: another is the writer. The figures are this node's; each node has such a page at its own port.${served}`;
  }
  if (first.isWriter) {
    return `Node ${first.name}, the writer of its system. The figures are this node's; if there are others, each has such a page at its own port.${served}`;
  }
  return `Node ${first.name}, a server by itself.${served}`;
}
