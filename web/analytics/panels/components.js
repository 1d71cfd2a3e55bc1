// How scores and each of their components are distributed over what users are shown.

import { plot } from "../card.js";
import { element } from "../dom.js";
import * as format from "../format.js";
import { histogram } from "../plot.js";

const COMPONENTS = [
  "score", "location", "tag", "engagement", "recency", "poster", "collaborative", "content",
  "poster_affinity", "item_similarity",
];

const BUCKETS = 20;

// Rows of one component, those of several profiles added up.
function distribution(rows) {
  const buckets = Array.from({ length: BUCKETS }, (_, number) => ({
    low: number / BUCKETS, high: (number + 1) / BUCKETS, count: 0,
  }));
  for (const { bucket_low: low, listing_count: number } of rows) {
    buckets[Math.round(BUCKETS * low)].count += number;
  }
  const total = buckets.reduce((all, { count }) => all + count, 0);
  for (const bucket of buckets) bucket.share = total ? bucket.count / total : 0;
  const mean = buckets.reduce((all, { low, high, share }) => all + share * (low + high) / 2, 0);
  return { buckets, total, mean };
}

// "item similarity"
const words = (component) => component.replace("_", " ");

const shareText = (share) => `${Math.round(100 * share)} %`;

export default {
  id: "components",
  title: "Scores and their components",
  views: ["component_distribution"],
  wide: true,
  follows: ["profile"],

  read: (rows, { profile }) => rows("component_distribution", (query) => {
    const all = query.select("*")
      .order("profile_name").order("component").order("bucket_low");
    return profile ? all.eq("profile_name", profile) : all;
  }, 10000),

  show(rows) {
    const byComponent = Map.groupBy(rows, ({ component }) => component);
    const found = COMPONENTS
      .filter((component) => byComponent.has(component))
      .map((component) => ({ component, ...distribution(byComponent.get(component)) }))
      .filter(({ total }) => total > 0);
    const updated = rows[0]?.refreshed_at;
    if (!found.length) {
      return {
        updated,
        empty: {
          what: "No feed has been sampled yet.",
          todo: "The job refresh_analytics asks for the feeds of a sample of users; `make train` "
            + "runs it now.",
        },
      };
    }
    const lows = found[0].buckets.map(({ low }) => low);
    const shareAt = ({ buckets }, low) => buckets.find((bucket) => bucket.low === low)?.share;
    return {
      updated,
      body: [element("div", { class: "histograms" }, found.map((one) =>
        element("div", { class: "measure" },
          element("h3", {}, words(one.component)),
          element("p", { class: "judged" }, `mean about ${one.mean.toFixed(2)}`),
          plot(
            `${words(one.component)}: distribution over ${format.count(one.total)} rows of feeds, mean `
              + `about ${one.mean.toFixed(2)}.`,
            histogram({
              buckets: one.buckets,
              colour: one.component === "score" ? 1 : 0,
              write: shareText,
            }), "small"))))],
      tables: [{
        caption: "Share of the feeds' rows by value",
        columns: [
          { label: "From" },
          ...found.map(({ component }) => ({ label: words(component), numeric: true })),
        ],
        rows: lows.map((low) => [
          low.toFixed(2), ...found.map((one) => format.percent(shareAt(one, low))),
        ]),
      }],
    };
  },
};
