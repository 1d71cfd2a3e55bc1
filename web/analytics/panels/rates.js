// Click-through, applications a click and time spent, day by day beside their targets.

import { plot } from "../card.js";
import { element, prose } from "../dom.js";
import * as format from "../format.js";
import { midnight } from "../period.js";
import { course } from "../plot.js";

const sum = (rows, valueOf) => rows.reduce((total, row) => total + (valueOf(row) ?? 0), 0);
const ratio = (rows, { above, below }) => {
  const total = sum(rows, below);
  return total ? sum(rows, above) / total : null;
};

// above / below over any number of days; of(row) is the day's own, as the view has it. Of all
// profiles it is daily_metrics, of one quality_by_day, where every click is one on the feed.
const MEASURES = [
  {
    name: "Click-through rate",
    said: "of impressions are clicked",
    above: (row) => row.attributed_click_count ?? row.click_count,
    below: (row) => row.impression_count,
    of: (row) => row.click_through_rate,
    target: "click_through_target",
    write: format.percent,
    lacking: "No impressions in these days.",
    todo: "The feed's page reports what was on the screen; a client of your own does by "
      + "`POST /api/v1/feed/impressions`.",
  },
  {
    name: "Apply rate",
    said: "of clicks become applications",
    above: (row) => row.apply_count,
    below: (row) => row.click_count,
    of: (row) => row.apply_rate,
    target: "apply_target",
    write: format.percent,
    lacking: "No clicks in these days.",
    todo: "A click is an interaction of type `click`.",
  },
  {
    name: "Time spent",
    said: "a view",
    above: (row) => row.view_seconds,
    below: (row) => row.view_count,
    of: (row) => row.seconds_per_listing ?? row.average_seconds ?? null,
    target: "seconds_target",
    write: format.seconds,
    lacking: "No views in these days.",
    todo: 'A view says how long it was: `{"type": "view", "metadata": {"seconds": 42}}`.',
  },
];

function verdict(value, target, write) {
  const isMet = value >= target;
  return element("span", { class: isMet ? "verdict met" : "verdict missed" },
    isMet ? `✓ target ${write(target)} met` : `✗ below the target of ${write(target)}`);
}

function block(measure, rows, former, period) {
  const { name, said, of, write } = measure;
  const value = ratio(rows, measure);
  const head = element("h3", {}, name);
  if (value === null) {
    return element("div", { class: "measure" }, head,
      element("div", { class: "nothing" },
        element("p", { class: "what" }, measure.lacking),
        element("p", {}, prose(measure.todo))));
  }
  const target = rows.at(-1)[measure.target];
  const before = ratio(former, measure);
  const byDay = new Map(rows.map((row) => [row.day, of(row)]));
  const points = period.dates.map((date) => ({ x: midnight(date), y: byDay.get(date) ?? null }));
  return element("div", { class: "measure" },
    head,
    element("p", { class: "figure" },
      element("strong", { "data-measure": name }, write(value)), ` ${said}`),
    element("p", { class: "judged" }, verdict(value, target, write)),
    element("p", { class: "judged" },
      before === null ? "nothing before to compare with"
        : `${write(before)} in the ${period.days} days before`),
    plot(
      `${name} by day over ${period.days} days: ${write(value)} in all, target ${write(target)}.`,
      course({
        series: [{ name, colour: 0, points }],
        from: period.from,
        to: period.today,
        write,
        target,
        targetText: `target ${write(target)}`,
        isLastPartial: true,
      })));
}

export default {
  id: "rates",
  title: "Against the targets",
  views: ["daily_metrics", "quality_by_day"],
  wide: true,
  follows: ["profile"],

  read(rows, { period, profile }) {
    const since = (query) => query.select("*").gte("day", period.formerSince).order("day");
    return profile
      ? rows("quality_by_day", (query) => since(query).eq("profile_name", profile))
      : rows("daily_metrics", since);
  },

  show(found, { period, profile }) {
    const rows = found.filter(({ day }) => day >= period.since);
    const former = found.filter(({ day }) => day < period.since);
    const view = profile ? "quality_by_day" : "daily_metrics";
    const updated = found.at(-1)?.refreshed_at;
    if (!MEASURES.some(({ below }) => sum(rows, below))) {
      return {
        view,
        updated,
        empty: {
          what: `Nothing was counted in these ${period.days} days.`,
          todo: "Days are counted hourly by the job refresh_analytics; `make train` runs it now. "
            + "If nobody has used the feed yet, open it, or make a world: `make synth`.",
        },
      };
    }
    return {
      view,
      updated,
      body: [element("div", { class: "measures" },
        MEASURES.map((measure) => block(measure, rows, former, period)))],
      tables: [{
        caption: `By day, ${period.days} days`,
        columns: [
          { label: "Day" },
          ...["Impressions", "Views", "Clicks", "Clicks on the feed", "Applications",
            "Click-through rate", "Apply rate", "Seconds a view"]
            .map((label) => ({ label, numeric: true })),
        ],
        rows: rows.toReversed().map((row) => [
          row.day,
          ...["impression_count", "view_count", "click_count"]
            .map((column) => format.count(row[column])),
          format.count(MEASURES[0].above(row)),
          format.count(row.apply_count),
          ...MEASURES.map(({ of, write }) => write(of(row))),
        ]),
      }],
    };
  },
};
