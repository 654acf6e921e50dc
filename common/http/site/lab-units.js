// Figures as people write them, in the words of `harness top` (harness/units.py).

export const NOTHING = "-";

export function count(value) {
  return value === null ? NOTHING : value.toLocaleString("en", { maximumFractionDigits: 0 });
}

// How often something happens in a second, with a decimal where that is seldom.
export function rate(perSecond) {
  if (perSecond === null) return NOTHING;
  return perSecond >= 10 || perSecond === 0 ? count(perSecond) : perSecond.toFixed(1);
}

export function time(seconds) {
  if (seconds === null) return NOTHING;
  if (seconds === 0) return "0 s";
  if (seconds >= 0.9995) return `${threeDigits(seconds)} s`;
  if (seconds >= 0.0009995) return `${threeDigits(seconds * 1e3)} ms`;
  return `${threeDigits(seconds * 1e6)} µs`;
}

// A time of which only is known that it is no longer: the upper bound of its bucket, none for the last.
export function atMost(bound) {
  if (bound === null) return NOTHING;
  const written = time(bound.s ?? bound.above).replace(/\.0+ /, " ");  // bounds are round
  return `${bound.s === null ? ">" : "≤"} ${written}`;
}

export function bytes(size) {
  if (size === null) return NOTHING;
  for (const unit of ["B", "KiB", "MiB"]) {
    if (size < 1023.5) return `${threeDigits(size)} ${unit}`;
    size /= 1024;
  }
  return `${threeDigits(size)} GiB`;
}

export function share(part) {
  return part === null ? NOTHING : `${Math.round(part * 100)}%`;
}

export function duration(seconds) {
  const whole = Math.floor(seconds), two = (value) => String(value).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole % 3600 / 60))}`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m${two(whole % 60)}` : `${whole}s`;
}

function threeDigits(value) {
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
