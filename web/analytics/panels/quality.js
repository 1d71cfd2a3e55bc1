// Whether rank and place matter: click-through by position on the page, and by the user's city.

import { plot } from "../card.js";
import { countedAt } from "../data.js";
import { element } from "../dom.js";
import * as format from "../format.js";
import { bars, columns } from "../plot.js";

const POSITIONS = 20;
const CITIES = 12;

const HEADS = [
  ...["Impressions", "Clicks", "Applications", "Click-through rate", "Apply rate",
    "Seconds a view"].map((label) => ({ label, numeric: true })),
];

const cells = (row) => [
  format.count(row.impression_count), format.count(row.click_count), format.count(row.apply_count),
  format.percent(row.click_through_rate), format.percent(row.apply_rate),
  format.seconds(row.average_seconds),
];

export default {
  id: "quality",
  title: "Click-through by position and city",
  views: ["quality_by_position", "quality_by_city"],
  wide: true,

  async read(rows) {
    const [positions, cities, updated] = await Promise.all([
      rows("quality_by_position", (query) => query.select("*").order("position")),
      rows("quality_by_city", (query) => query.select("*")
        .order("impression_count", { ascending: false }).order("city")),
      countedAt(rows),
    ]);
    return { positions, cities, updated };
  },

  show({ positions, cities, updated }) {
    const seen = cities.filter((row) => row.impression_count > 0);
    if (!seen.length) {
      return {
        updated,
        empty: {
          what: "No impressions in 28 days.",
          todo: "The feed's page reports what was on the screen; a client of your own does by "
            + "`POST /api/v1/feed/impressions`.",
        },
      };
    }
    const first = positions.filter(({ position }) => position <= POSITIONS);
    const target = seen[0].click_through_target;
    const named = seen.slice(0, CITIES);
    const most = Math.max(target, ...named.map((row) => row.click_through_rate ?? 0));
    return {
      updated,
      body: [element("div", { class: "measures" },
        element("div", { class: "measure" },
          element("h3", {}, "By position on the page"),
          element("p", { class: "judged" }, `28 days, positions 1 to ${POSITIONS} of ${positions.length}`),
          plot(
            `Click-through rate by position, 28 days: ${first.slice(0, 5).map((row) =>
              `${row.position}: ${format.percent(row.click_through_rate)}`).join(", ")}, and on; `
              + `target ${format.percent(target)}.`,
            columns({
              points: first.map((row) => ({
                x: row.position, y: row.click_through_rate, of: row.impression_count,
              })),
              write: format.percent,
              target,
              targetText: `target ${format.percent(target)}`,
              titled: ({ x, of }) => `position ${x}, ${format.count(of)} impressions`,
            }), "places")),
        element("div", { class: "measure" },
          element("h3", {}, "By the user's city"),
          element("p", { class: "judged" }, `28 days, of impressions; the ${named.length} cities with `
            + `most of ${seen.length}; dashed: ${format.percent(target)}`),
          plot(
            `Click-through rate by city, 28 days: ${named.slice(0, 5).map((row) =>
              `${row.city} ${format.percent(row.click_through_rate)}`).join(", ")}.`,
            bars({
              labels: named.map(({ city }) => city),
              values: named.map((row) => row.click_through_rate ?? 0),
              targets: named.map(() => target),
              texts: named.map((row) => `${format.percent(row.click_through_rate)} of `
                + format.shortCount(row.impression_count)),
              max: 1.05 * most,
              room: 90,
            }), "places")))],
      tables: [
        {
          caption: "By position, 28 days",
          columns: [{ label: "Position", numeric: true }, ...HEADS],
          rows: positions.map((row) => [format.count(row.position), ...cells(row)]),
        },
        {
          caption: "By city, 28 days",
          columns: [{ label: "City" }, ...HEADS],
          rows: cities.map((row) => [row.city, ...cells(row)]),
        },
      ],
    };
  },
};
