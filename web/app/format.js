// Numbers, times and addresses as people read them. What is unknown is null, and not shown.

// The page's words are English, so its numbers and times are, in the reader's own variant.
const locale = navigator.languages.find((language) => /^en\b/i.test(language)) ?? "en";

const UNITS = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["week", 7 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const dates = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" });
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const counts = new Intl.NumberFormat(locale);
const points = new Intl.NumberFormat(locale, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

export const count = (number) => counts.format(number);
export const percent = (fraction) => (fraction == null ? null : percents.format(fraction));
export const hundredths = (fraction) => points.format(100 * fraction);

/** "3 days ago", "in 2 hours"; null for what is no time. */
export function age(when, now) {
  const seconds = (Date.parse(when) - now) / 1000;
  if (!Number.isFinite(seconds)) return null;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["minute", 60];
  return relative.format(Math.trunc(seconds / size) || 0, unit);
}

/** The date in full, for a title. */
export function date(when) {
  const time = Date.parse(when);
  return Number.isFinite(time) ? dates.format(time) : null;
}

/** "€1,250"; without a currency the number alone. */
export function pay(amount, currency) {
  if (amount == null) return null;
  const number = Number(amount);
  const style = currency ? { style: "currency", currency } : {};
  const digits = Number.isInteger(number) ? { maximumFractionDigits: 0 } : {};
  return new Intl.NumberFormat(locale, { ...style, ...digits }).format(number);
}

/** "800 m", "2.5 km", "140 km". */
export function distance(km) {
  if (km == null) return null;
  const [amount, unit] = km < 0.95 ? [Math.max(50, 1000 * km), "meter"] : [km, "kilometer"];
  const digits = km < 9.5 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 0 };
  return new Intl.NumberFormat(locale, { style: "unit", unit, ...digits }).format(amount);
}

/** Great-circle distance in km between {lat, lon}s, null where one is unknown. */
export function kilometres(a, b) {
  if ([a?.lat, a?.lon, b?.lat, b?.lon].some((degrees) => degrees == null)) return null;
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const haversine =
    Math.sin(radians(b.lat - a.lat) / 2) ** 2 +
    Math.cos(radians(a.lat)) *
      Math.cos(radians(b.lat)) *
      Math.sin(radians(b.lon - a.lon) / 2) ** 2;
  return 2 * 6371.0088 * Math.asin(Math.min(1, Math.sqrt(haversine)));
}

/** The address if it is one of these protocols, else null: no javascript:, no data:. */
export function address(text, protocols = ["https:", "http:"]) {
  if (!text) return null;
  try {
    const url = new URL(text);
    return protocols.includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
