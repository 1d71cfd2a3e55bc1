// How many of the users and listings the feed reaches, beside what it should.

import { plot } from "../card.js";
import { element } from "../dom.js";
import * as format from "../format.js";
import { bars } from "../plot.js";

const NAMES = {
  users_with_personalisation: "Users with personalisation",
  listings_shown: "Listings shown",
  users_with_neighbors: "Users with similar users",
};

// A bar's name, in two lines where the card is narrow.
const label = (measure) => {
  const words = name(measure).split(" ");
  return words.length > 2 ? [words.slice(0, 2).join(" "), words.slice(2).join(" ")]
    : [words.join(" ")];
};

const name = (measure) => NAMES[measure] ?? measure.replaceAll("_", " ");

export default {
  id: "coverage",
  title: "Coverage",
  views: ["coverage"],

  read: (rows) => rows("coverage", (query) => query.select("*").order("measure")),

  show(found) {
    const order = Object.keys(NAMES);
    const rows = found
      .filter(({ total_count: total }) => total > 0)
      .sort((a, b) => order.indexOf(a.measure) - order.indexOf(b.measure));
    const updated = found[0]?.refreshed_at;
    if (!rows.length) {
      return {
        updated,
        empty: {
          what: "There are no users and no listings to cover yet.",
          todo: "`make synth` makes some; coverage is counted hourly by refresh_analytics, and by "
            + "`make train` now.",
        },
      };
    }
    const mark = ({ is_met: isMet }) => (isMet ? "✓" : "✗");
    return {
      updated,
      body: [
        plot(
          rows.map((row) => `${name(row.measure)}: ${format.percent(row.share)}, target `
            + `${format.percent(row.target)}, ${row.is_met ? "met" : "missed"}.`).join(" "),
          bars({
            labels: rows.map(({ measure }) => label(measure)),
            values: rows.map(({ share }) => share),
            targets: rows.map(({ target }) => target),
            texts: rows.map((row) => `${mark(row)} ${format.percent(row.share)}`),
            max: 1,
            room: 70,
            isAtEdge: true,
          }), "coverage"),
        element("p", { class: "note" }, "Dashed: the targets, "
          + `${rows.map(({ target }) => format.percent(target)).join(", ")}. ✓ met, ✗ missed.`),
      ],
      tables: [{
        caption: "Coverage beside its targets",
        columns: [
          { label: "Measure" },
          { label: "Covered", numeric: true },
          { label: "Of", numeric: true },
          { label: "Share", numeric: true },
          { label: "Target", numeric: true },
          { label: "Met" },
          { label: "Meaning", prose: true },
        ],
        rows: rows.map((row) => [
          name(row.measure), format.count(row.covered_count), format.count(row.total_count),
          format.percent(row.share), format.percent(row.target), row.is_met ? "yes" : "no",
          row.meaning ?? "",
        ]),
      }],
    };
  },
};
