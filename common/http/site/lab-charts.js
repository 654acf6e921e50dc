// Charts, drawn by uPlot (uPlot.README): of a whole course, or of the last five minutes, of which no more is kept.

/* global uPlot */

const KEPT_S = 300;
const NARROW_S = 60;  // so much is shown at least
const HEIGHT = 120;
const DASHES = [[], [6, 3], [2, 3]];  // lines are told apart by more than their colour

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const ofDay = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

// How moments are written and how many are shown: those of a course in seconds from its first, or moments of the day.
export const COURSE = { write: (at) => `${at} s`, range: (first, last) => [0, Math.max(last, 1)] };
export const OF_DAY = { write: ofDay, range: (first, last) => [Math.min(last - NARROW_S, Math.max(first, last - KEPT_S)), last] };

export class Chart {
  // `lines` are as many as there are values at each moment; `write` puts a value beside the axis; `least` apart from others.
  constructor(root, lines, write, { moments = COURSE, least = 0 } = {}) {
    this.plot = new uPlot({
      width: root.clientWidth || 280, height: HEIGHT, legend: { show: false }, cursor: { show: false },
      scales: {
        x: { time: moments === OF_DAY, range: (_, first, last) => moments.range(first ?? 0, last ?? 0) },
        y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
      },
      axes: [
        { ...axis(), values: (_, shown) => shown.map(moments.write), space: 90, size: 28 },
        { ...axis(), values: (_, shown) => shown.map(write), size: 62, space: 34, incrs: steps(least) },
      ],
      series: [{}, ...Array.from({ length: lines }, (_, i) => (
        { stroke: () => color(`line-${i + 1}`), width: 2, dash: DASHES[i], spanGaps: false, points: { show: false } }
      ))],
    }, Array.from({ length: lines + 1 }, () => []), root);
    new ResizeObserver(() => {
      if (root.clientWidth) this.plot.setSize({ width: root.clientWidth, height: HEIGHT });
    }).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot.redraw());
  }

  // `data` are columns: the moments, and the values of each line. A value is null where there is none, which is a gap.
  draw(data) {
    this.plot.setData(data);
  }
}

export class LastMinutes extends Chart {
  constructor(root, lines, write, least) {
    super(root, lines, write, { moments: OF_DAY, least });
    this.data = Array.from({ length: lines + 1 }, () => []);
  }

  // `at` is a moment in seconds since 1970.
  add(at, values) {
    [at, ...values].forEach((value, i) => this.data[i].push(value));
    const old = this.data[0].findIndex((moment) => moment >= at - KEPT_S);
    for (const column of this.data) column.splice(0, old);
    this.draw(this.data);
  }
}

// Between the values beside an axis: 1, 2 or 5 and as many zeros as it takes; none below `least`, as of what is counted.
function steps(least) {
  const all = Array.from({ length: 18 }, (_, i) => i - 6).flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)));
  return all.filter((step) => step >= least);
}

function axis() {
  return { stroke: () => color("quiet"), grid: { stroke: () => color("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
}
