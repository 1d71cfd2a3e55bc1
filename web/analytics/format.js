// Numbers and times as the dashboard writes them.
//
// null is "–" everywhere: not known, as against 0. Days and times are UTC, as the views count.

const NONE = "–";
const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const known = (write) => (value) => (value === null || value === undefined ? NONE : write(value));

export const count = known((value) => integer.format(value));
export const shortCount = known((value) => compact.format(value));
export const decimal = (digits) => known((value) => value.toFixed(digits));
export const percent = known((share) => `${(100 * share).toFixed(1)} %`);
export const seconds = known((value) => `${value.toFixed(1)} s`);
export const milliseconds = known((value) =>
  value < 10 ? `${value.toFixed(1)} ms` : `${integer.format(value)} ms`);

// How long something took, in the unit that a person would say.
export const duration = known((value) => {
  if (value < 1) return `${Math.round(1000 * value)} ms`;
  if (value < 60) return `${value.toFixed(1)} s`;
  if (value < 3600) return `${(value / 60).toFixed(1)} min`;
  return `${(value / 3600).toFixed(1)} h`;
});

const dayFormat = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", timeZone: "UTC",
});
const timeFormat = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});

export const day = known((value) => dayFormat.format(new Date(value)));
export const time = known((value) => timeFormat.format(new Date(value)));

export const clock = (value) => new Date(value).toISOString().slice(11, 16);

export const age = known((value) => {
  const past = Math.max(0, (Date.now() - new Date(value).getTime()) / 1000);
  if (past < 60) return "just now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 2 * 86400) return `${Math.floor(past / 3600)} h ago`;
  return `${Math.floor(past / 86400)} days ago`;
});
