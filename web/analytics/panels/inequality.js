// How unequally applications fall on listings and posters: Lorenz curves.

import { plot } from "../card.js";
import { element, table } from "../dom.js";
import * as format from "../format.js";
import { lorenz } from "../plot.js";

const NAMES = { listing: "Listings", poster: "Posters" };

export default {
  id: "inequality",
  title: "Who gets the applications",
  views: ["engagement_inequality"],

  read: (rows) => rows("engagement_inequality",
    (query) => query.select("*").order("subject").order("percentile")),

  show(rows) {
    const curves = [...Map.groupBy(rows, ({ subject }) => subject)]
      .map(([subject, points], index) => ({
        name: NAMES[subject] ?? subject,
        colour: index,
        points: points.map((row) => ({
          x: Number(row.percentile), y: Number(row.share_of_applications ?? 0),
        })),
        gini: points[0].gini,
        without: points[0].without_application_share,
        subjects: points[0].subject_count,
      }))
      .filter(({ gini }) => gini !== null);
    const updated = rows[0]?.refreshed_at;
    if (!curves.length) {
      return {
        updated,
        empty: {
          what: "Nobody has applied to an open listing yet.",
          todo: "Applications are interactions of type `apply`. They are compared hourly by "
            + "refresh_analytics; `make train` does it now.",
        },
      };
    }
    const summary = curves.map(({ name, gini, without }) => `${name}: Gini ${gini.toFixed(2)}, `
      + `${format.percent(without)} without any application.`).join(" ");
    return {
      updated,
      body: [
        table({
          caption: "Inequality of applications",
          captionHidden: true,
          className: "facts",
          columns: [
            { label: "Applications to" },
            { label: "Number", numeric: true },
            { label: "Without any", numeric: true },
            { label: "Gini", numeric: true },
          ],
          rows: curves.map(({ name, colour, gini, without, subjects }) => [
            element("span", { class: `key key-${colour + 1}` }, name), format.count(subjects),
            format.percent(without), gini.toFixed(3),
          ]),
        }),
        plot(`Lorenz curves. ${summary}`, lorenz({
          curves, across: "the part with fewest applications",
          up: "their share of all applications",
        }), "square"),
      ],
      tables: [{
        caption: "Share of all applications that the lower part has",
        columns: [
          { label: "Lower part", numeric: true },
          ...curves.map(({ name }) => ({ label: name, numeric: true })),
        ],
        rows: curves[0].points
          .filter(({ x }) => x % 10 === 0)
          .map(({ x }) => [
            `${x} %`,
            ...curves.map(({ points }) => format.percent(points.find((one) => one.x === x)?.y)),
          ]),
      }],
    };
  },
};
