// How the profiles of experiments fare beside default: values with their intervals.

import { element, scrolling, table } from "../dom.js";
import * as format from "../format.js";

// Rates are a few percent, and differ by tenths of one.
const points = (value) => (value === null ? format.percent(null) : `${(100 * value).toFixed(2)} %`);

const MEASURES = {
  click_through_rate: { name: "Click-through rate", write: points },
  apply_rate: { name: "Apply rate", write: points },
  seconds_per_listing: { name: "Seconds a view", write: format.decimal(1) },
  applications_per_user: { name: "Applications a user", write: format.decimal(3) },
};

const named = (row) => MEASURES[row.measure] ?? {
  name: row.measure.replaceAll("_", " "), write: format.decimal(3),
};

const between = (write, low, high) => (low === null ? "–" : `${write(low)} to ${write(high)}`);

const verdict = ({ is_different: isDifferent, difference }) => {
  if (isDifferent === null) return "–";
  if (!isDifferent) return "not told apart";
  return difference > 0 ? "▲ above default" : "▼ below default";
};

export default {
  id: "experiments",
  title: "Experiments",
  views: ["experiment_results"],
  wide: true,
  follows: ["profile"],

  read: (rows) => rows("experiment_results",
    (query) => query.select("*").order("measure").order("profile_name")),

  // The chosen profile, and default to compare it with.
  show(found, { profile }) {
    if (!found.length) {
      return {
        updated: { says: "nothing compared yet" },
        empty: {
          what: "No experiment has been compared.",
          todo: "An experiment gives a part of the users another profile: a row of "
            + "`feed.experiments`, which the DBA writes. It is compared by refresh_analytics.",
        },
      };
    }
    const order = Object.keys(MEASURES);
    const rows = found
      .filter(({ profile_name: name }) => !profile || [profile, "default"].includes(name))
      .sort((a, b) => order.indexOf(a.measure) - order.indexOf(b.measure));
    const [{ from_time: from, to_time: to }] = found;
    return {
      updated: { says: `of ${format.time(from)} to ${format.time(to)}` },
      body: [
        scrolling("Experiments beside default", table({
          caption: "Experiments beside default",
          captionHidden: true,
          columns: [
            { label: "Measure" },
            { label: "Profile" },
            { label: "Of all users", numeric: true },
            { label: "Users", numeric: true },
            { label: "Value", numeric: true },
            { label: "95 % interval", numeric: true },
            { label: "Difference", numeric: true },
            { label: "95 % interval", numeric: true },
            { label: "Verdict" },
          ],
          rows: rows.map((row) => {
            const { name, write } = named(row);
            return [
              name,
              row.profile_name,
              format.percent(row.share_of_users),
              format.count(row.user_count),
              write(row.value),
              between(write, row.low, row.high),
              write(row.difference),
              between(write, row.difference_low, row.difference_high),
              element("span", { class: row.is_different ? "verdict" : null }, verdict(row)),
            ];
          }),
        })),
        element("p", { class: "note" }, "Judge when the time that was planned is over, by the "
          + "measure that was chosen before: whoever looks daily at all of them finds a "
          + "difference sooner or later."),
      ],
      tables: [{
        caption: "Sums over users",
        columns: [
          { label: "Measure" },
          { label: "Profile" },
          { label: "Users", numeric: true },
          { label: "Sum", numeric: true },
          { label: "Of", numeric: true },
        ],
        rows: rows.map((row) => [
          named(row).name, row.profile_name, format.count(row.user_count),
          format.count(row.numerator), format.count(row.denominator),
        ]),
      }],
    };
  },
};
