// How long feeds take, as the gateway measured it.

import { plot } from "../card.js";
import { element } from "../dom.js";
import * as format from "../format.js";
import { drawnFrom, within } from "../period.js";
import { course, timeOf } from "../plot.js";

const PERCENTILES = [["p50", "p50_ms"], ["p95", "p95_ms"], ["p99", "p99_ms"]];
const HOUR = 3600000;
const KEPT_DAYS = 30; // the view's

// Hours without a request are gaps, not zeros.
function withGaps(points) {
  return points.flatMap((point, index) => (index && point.x - points[index - 1].x > HOUR
    ? [{ x: points[index - 1].x + HOUR, y: null }, point] : [point]));
}

export default {
  id: "latency",
  title: "Feed latency",
  views: ["feed_latency"],

  async read(rows, { period: asked }) {
    const period = within(asked, KEPT_DAYS);
    const [feed, others] = await Promise.all([
      rows("feed_latency", (query) => query.select("*").eq("route", "feed")
        .gte("hour", period.sinceTime).order("hour"), 2400),
      rows("feed_latency", (query) => query.select("*")
        .gte("hour", new Date(period.to - 24 * HOUR).toISOString()).order("route").order("hour")),
    ]);
    return { feed, others };
  },

  show({ feed, others }, { period: asked }) {
    const period = within(asked, KEPT_DAYS);
    if (!feed.length) {
      return {
        empty: {
          what: `No feed was asked for over HTTP in these ${period.days} days, or the gateway's `
            + "log was not read.",
          todo: "`bin/pgfeed access-log FILE` reads it, and `make up` starts one that follows it.",
        },
      };
    }
    const target = feed.at(-1).target_ms;
    const worst = Math.max(...feed.map((row) => row.p99_ms));
    const requests = feed.reduce((all, row) => all + row.request_count, 0);
    const errors = feed.reduce((all, row) => all + row.error_count, 0);
    const routes = [...Map.groupBy(others, ({ route }) => route)];
    const over = feed.filter((row) => row.p99_ms > target).length;
    return {
      updated: { says: `latest hour: ${format.time(feed.at(-1).hour)}` },
      body: [
        element("p", { class: "judged" },
          `${format.count(requests)} feeds, ${format.count(errors)} errors; p99 over its target in `
            + `${format.count(over)} of ${format.count(feed.length)} hours`),
        plot(
          `Feed latency by hour over ${period.days} days: ${format.count(requests)} requests, `
            + `worst 99th percentile ${format.milliseconds(worst)}, target `
            + `${format.milliseconds(target)}.`,
          course({
            series: PERCENTILES.map(([name, column], colour) => ({
              name,
              colour,
              points: withGaps(feed.map((row) => ({ x: timeOf(row.hour), y: row[column] }))),
            })),
            from: drawnFrom(period, feed.map((row) => timeOf(row.hour))),
            to: period.to,
            write: format.milliseconds,
            target,
            targetText: `target of p99: ${format.milliseconds(target)}`,
            titled: format.time,
          })),
      ],
      tables: [
        {
          caption: "Feeds by hour, the latest 168 hours with requests",
          columns: [
            { label: "Hour" },
            ...["Requests", "Errors", "p50", "p95", "p99"]
              .map((label) => ({ label, numeric: true })),
          ],
          rows: feed.slice(-168).toReversed().map((row) => [
            format.time(row.hour), format.count(row.request_count), format.count(row.error_count),
            ...PERCENTILES.map(([, column]) => format.milliseconds(row[column])),
          ]),
        },
        {
          caption: "Every route, the last 24 hours",
          columns: [
            { label: "Route" },
            ...["Requests", "Errors", "Worst hour's p95", "Worst hour's p99"]
              .map((label) => ({ label, numeric: true })),
          ],
          rows: routes.map(([route, own]) => [
            route || "pages",
            format.count(own.reduce((all, row) => all + row.request_count, 0)),
            format.count(own.reduce((all, row) => all + row.error_count, 0)),
            format.milliseconds(Math.max(...own.map((row) => row.p95_ms))),
            format.milliseconds(Math.max(...own.map((row) => row.p99_ms))),
          ]),
        },
      ],
    };
  },
};
