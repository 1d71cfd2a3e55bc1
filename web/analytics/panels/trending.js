// What trends now, and hour by hour how it came to.

import { drawing, element, scrolling, table } from "../dom.js";
import * as format from "../format.js";

const HOUR = 3600000;
const BAR = 6; // hours
const BARS = (7 * 24) / BAR;
const WIDTH = 112;
const HEIGHT = 26;

const COLUMNS = [
  { label: "#", numeric: true },
  { label: "Listing" },
  { label: "7 days, by 6 hours" },
  { label: "Trending score", numeric: true },
  { label: "Views", numeric: true },
  { label: "Clicks", numeric: true },
  { label: "Saves", numeric: true },
  { label: "Shares", numeric: true },
  { label: "Applications", numeric: true },
  { label: "Dismissals", numeric: true },
];

// Bars from seven days ago (left) to now (right); all rows have one scale.
function sparkline(bars, most, summary) {
  const width = WIDTH / BARS;
  return drawing("svg", {
    class: "sparkline", role: "img", "aria-label": summary,
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT,
  },
  drawing("line", { class: "ground", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }),
  ...bars.map((value, index) => drawing("rect", {
    class: "bar", x: index * width + 0.5, width: width - 1,
    y: HEIGHT - 1 - (HEIGHT - 2) * (value / most), height: (HEIGHT - 2) * (value / most),
  })));
}

const total = (numbers) => numbers.reduce((all, one) => all + one, 0);

export default {
  id: "trending",
  title: "Trending now, and its course",
  views: ["trending_listings", "trending_course"],
  wide: true,

  async read(rows) {
    const [listings, course, jobs] = await Promise.all([
      rows("trending_listings", (query) => query.select("*").order("rank").order("listing_id"), 10),
      rows("trending_course",
        (query) => query.select("*").order("hour").order("listing_id"), 10 * 7 * 25),
      rows("job_health", (query) => query.select("finished_at").eq("job", "refresh_trending")),
    ]);
    return { listings, course, updated: jobs[0]?.finished_at };
  },

  show({ listings, course, updated }) {
    if (!listings.length) {
      return {
        updated,
        empty: {
          what: "Nothing trends: there was no interaction in seven days.",
          todo: "Scores are made hourly and the list every 15 minutes (refresh_engagement, "
            + "refresh_trending); `make train` does both now.",
        },
      };
    }
    const now = Date.now();
    const bars = new Map(listings.map(({ listing_id: id }) => [id, Array(BARS).fill(0)]));
    const byDay = new Map(listings.map(({ listing_id: id }) => [id, new Map()]));
    const days = new Set();
    for (const { listing_id: id, hour, interaction_count: number } of course) {
      if (!bars.has(id)) continue;
      const index = BARS - 1 - Math.floor((now - Date.parse(hour)) / HOUR / BAR);
      if (index >= 0 && index < BARS) bars.get(id)[index] += number;
      const day = hour.slice(0, 10);
      days.add(day);
      byDay.get(id).set(day, (byDay.get(id).get(day) ?? 0) + number);
    }
    const most = Math.max(1, ...[...bars.values()].flat());
    const dates = [...days].sort();
    return {
      updated,
      body: [scrolling("What trends now", table({
        caption: "The ten listings that trend most",
        captionHidden: true,
        columns: COLUMNS,
        rows: listings.map((row) => {
          const own = bars.get(row.listing_id);
          return [
            format.count(row.rank),
            element("span", { class: "title", title: row.title }, row.title),
            sparkline(own, most, `${format.count(total(own))} interactions in seven days, `
              + `${format.count(total(own.slice(-4)))} of them in the last day`),
            format.decimal(1)(row.trending_score),
            ...["view", "click", "save", "share", "apply", "dismiss"]
              .map((type) => format.count(row[`${type}_count`])),
          ];
        }),
      }))],
      tables: [{
        caption: "Interactions by day of the listings that trend",
        columns: [
          { label: "Listing" },
          ...dates.map((date) => ({ label: format.day(date), numeric: true })),
        ],
        rows: listings.map(({ listing_id: id, title }) => [
          title, ...dates.map((date) => format.count(byDay.get(id).get(date) ?? 0)),
        ]),
      }],
    };
  },
};
