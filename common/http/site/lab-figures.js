// From what nodes tell of themselves (GET /1/statistics, described in /1/openapi.json) to the figures of the page.
// Rates are what was added between the last two looks at a node. Nothing here knows of the page.

const WINDOW_S = 10;     // of times: those of so long are told together
const FORGOTTEN_S = 30;  // a node that was not heard of for so long is told of no more, where others are

// A rate of a count; null where there is nothing to compare with, as after a start.
function rate(now, before, passedS) {
  if (now === undefined || now === null || before === undefined || before === null || now < before) return null;
  return (now - before) / passedS;
}

// What was heard of one node within the last WINDOW_S, oldest first.
class Node {
  constructor() {
    this.looks = [];
  }

  take(seen, at) {
    const last = this.looks.at(-1)?.seen;
    if (last?.uptime_s === seen.uptime_s) return;  // it was told already
    if (last?.uptime_s > seen.uptime_s) this.looks = [];  // it was started anew, and has no past
    this.looks.push({ seen, at });
    while (this.looks.length > 2 && this.looks[0].at < at - WINDOW_S) this.looks.shift();
  }

  get now() {
    return this.looks.at(-1).seen;
  }

  get at() {
    return this.looks.at(-1).at;
  }

  get before() {
    return this.looks.at(-2)?.seen;
  }

  get first() {
    return this.looks.length > 1 ? this.looks[0].seen : null;
  }

  rate(count) {
    return this.before ? rate(count(this.now), count(this.before), this.now.uptime_s - this.before.uptime_s) : null;
  }
}

// Times of a histogram that came between two looks.
function added(now, first) {
  return { bounds: now.bounds_s, counts: now.counts.map((count, i) => count - first.counts[i]), sum: now.sum_s - first.sum_s };
}

function together(histograms) {
  if (histograms.length === 0) return null;
  const [{ bounds }] = histograms;
  const same = histograms.filter((one) => one.counts.length === bounds.length + 1);
  return { bounds, counts: bounds.concat(0).map((_, i) => sum(same, (one) => one.counts[i])), sum: sum(same, (one) => one.sum) };
}

const total = (times) => times.counts.reduce((all, count) => all + count, 0);

function mean(times) {
  return times && total(times) ? times.sum / total(times) : null;
}

// The bound of the bucket in which a percentile falls, or with 1 the last; `s` is null above all bounds.
function percentile(times, part) {
  if (!times || !total(times)) return null;
  let left = Math.max(1, Math.ceil(part * total(times)));
  const bucket = times.counts.findIndex((count) => (left -= count) <= 0);
  return { s: times.bounds[bucket] ?? null, above: times.bounds.at(-1) };
}

const sum = (rows, of) => rows.reduce((all, one) => all + of(one), 0);

// A sum of what is known; null where nothing is.
function sumOfKnown(rows, of) {
  const known = rows.map(of).filter((value) => value !== null);
  return known.length ? sum(known, (value) => value) : null;
}

function nodeRow(node, at) {
  const { now } = node;
  return {
    name: now.node,
    ageS: at - node.at,
    isWriter: now.writer ? now.writer.is_writer : null,
    upS: now.uptime_s,
    fans: now.connections,
    accepts: node.rate((seen) => seen.accepted),
    sent: node.rate((seen) => seen.deliveries),
    drops: sum(Object.values(now.drops), (count) => count),
    lagS: now.loop_lag ? now.loop_lag.max_s : null,
    cpu: node.rate((seen) => seen.cpu_s),
    rssBytes: now.rss_bytes,
    files: now.open_files,
    api: now.api && { connections: now.api.connections, calls: node.rate((seen) => seen.api?.requests) },
    writer: now.writer && { done: node.rate((seen) => seen.writer?.executed), failed: now.writer.failures },
    requests: now.requests,
    channels: now.subscriptions && {
      is: now.subscriptions.connected, count: now.subscriptions.channels, messages: node.rate((seen) => seen.subscriptions?.published),
    },
  };
}

// Each worker of a node.
function workerRows(node, several) {
  const before = new Map((node.before?.workers ?? []).map((one) => [one.pid, one]));
  const passedS = node.before ? node.now.uptime_s - node.before.uptime_s : 0;
  const rows = node.now.workers.map((one) => {
    const was = before.get(one.pid);
    return {
      name: several ? `${node.now.node} ${one.number}` : `${one.number}`, answers: one.answers, restarts: one.restarts, fans: one.connections,
      accepts: rate(one.accepted, was?.accepted, passedS), sent: rate(one.deliveries, was?.deliveries, passedS),
      behind: one.behind, lagS: one.loop_lag_s, cpu: rate(one.cpu_s, was?.cpu_s, passedS), pssBytes: one.pss_bytes,
    };
  });
  return rows;
}

// Who does not answer comes first, then who is late the most, then who has most fans.
const trouble = (a, b) => a.answers - b.answers || (b.lagS ?? 0) - (a.lagS ?? 0) || b.fans - a.fans;

// Drops by reason: since the start of the nodes, and within the last WINDOW_S.
function dropRows(nodes) {
  const rows = new Map();
  for (const node of nodes) {
    for (const [reason, count] of Object.entries(node.now.drops)) {
      const row = rows.get(reason) ?? { reason, count: 0, lately: 0 };
      row.count += count;
      row.lately += count - (node.first ? node.first.drops[reason] ?? 0 : count);
      rows.set(reason, row);
    }
  }
  return [...rows.values()];
}

function actorRows(node, several) {
  const before = new Map((node.before?.actors ?? []).map((one) => [`${one.kind} ${one.name}`, one.messages]));
  const passedS = node.before ? node.now.uptime_s - node.before.uptime_s : 0;
  return node.now.actors.map(({ name, kind, mailbox, messages, restarts }) => (
    { node: several ? node.now.node : null, name, kind, mailbox, restarts, perS: rate(messages, before.get(`${kind} ${name}`), passedS) }
  ));
}

function doorRows(nodes) {
  const rows = new Map();
  for (const [name, door] of nodes.flatMap((node) => Object.entries(node.now.doors))) {
    const row = rows.get(name) ?? { name, watching: 0, greetings: 0, deliveries: 0 };
    for (const count of ["watching", "greetings", "deliveries"]) row[count] += door[count];
    rows.set(name, row);
  }
  return [...rows.values()];
}

// All nodes that were heard of: one, or those among which whoever stands at the address chooses.
export class System {
  constructor() {
    this.nodes = new Map();
    this.last = null;
  }

  take(seen, at) {
    this.last = this.nodes.get(seen.node) ?? new Node();
    this.nodes.set(seen.node, this.last);
    this.last.take(seen, at);
    for (const [name, node] of this.nodes) if (node.at < at - FORGOTTEN_S) this.nodes.delete(name);
  }

  // Counts and rates of all nodes are added up; the lag is that of the one that is late the most.
  figures(at) {
    const nodes = [...this.nodes.values()].sort((a, b) => (a.now.node < b.now.node ? -1 : 1));
    const rows = nodes.map((node) => nodeRow(node, at)), several = nodes.length > 1;
    const between = (times) => together(nodes.filter((node) => node.first).map((node) => added(times(node.now), times(node.first))));
    const response = between((seen) => seen.response), fanOut = between((seen) => seen.fan_out);
    return {
      nodes: rows,
      workers: nodes.flatMap((node) => workerRows(node, several)).sort(trouble),
      stage: this.last.now.stage ?? null,
      fans: sum(rows, (row) => row.fans),
      accepts: sumOfKnown(rows, (row) => row.accepts),
      sent: sumOfKnown(rows, (row) => row.sent),
      dropped: sumOfKnown(nodes, (node) => node.rate(({ drops }) => sum(Object.values(drops), (count) => count))),
      cpu: sumOfKnown(rows, (row) => row.cpu),
      art: { mean: mean(response), p99: percentile(response, 0.99) },
      fanOut: { p50: percentile(fanOut, 0.5), p99: percentile(fanOut, 0.99), last: percentile(fanOut, 1) },
      lagS: rows.reduce((worst, { lagS }) => (lagS === null ? worst : Math.max(worst ?? 0, lagS)), null),
      mailboxes: sum(nodes, ({ now }) => sum(now.kinds, (kind) => kind.mailbox)),
      waits: sumOfKnown(rows, (row) => (row.requests ? row.requests.waiting : null)),
      behind: nodes.some(({ now }) => now.workers.length) ? sum(nodes, ({ now }) => sum(now.workers, (one) => one.behind)) : null,
      drops: dropRows(nodes),
      actors: nodes.flatMap((node) => actorRows(node, several)).sort((a, b) => b.mailbox - a.mailbox),
      doors: doorRows(nodes),
    };
  }
}
