// The days that the page is about, as UTC dates and moments.

const DAY = 86400000;

const dateOf = (moment) => new Date(moment).toISOString().slice(0, 10);

export function period(days, now = Date.now()) {
  const today = Math.floor(now / DAY) * DAY;
  const from = today - (days - 1) * DAY;
  return {
    days,
    from,
    to: now,
    today,
    since: dateOf(from),
    sinceTime: new Date(from).toISOString(),
    // as long a time before, to compare with
    formerSince: dateOf(from - days * DAY),
    dates: Array.from({ length: days }, (_, number) => dateOf(from + number * DAY)),
  };
}

export const midnight = (date) => Date.parse(`${date}T00:00:00Z`);

// As much of a period as a view has: some are kept for fewer days.
export const within = (whole, most) => (whole.days <= most ? whole : period(most, whole.to));

// From where to draw: not a month of nothing where counting began today.
export const drawnFrom = ({ from, to }, moments) =>
  Math.max(from, Math.min(to - DAY, ...moments));
