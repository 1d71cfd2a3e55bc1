// The jobs: the latest run of each, and all runs as a share of what they may take.

import { plot } from "../card.js";
import { element, prose, scrolling, table } from "../dom.js";
import * as format from "../format.js";
import { drawnFrom, within } from "../period.js";
import { runs } from "../plot.js";

const MOST_RUNS = 5000;
const KEPT_DAYS = 30; // the view's
const NOW = { says: "read just now" };

// PostgreSQL writes an interval as "1 day 00:03:00.5".
function secondsOf(interval) {
  const [, days, hours, minutes, seconds] =
    /^(?:(\d+) days? ?)?(?:(\d+):(\d+):(\d+(?:\.\d+)?))?$/.exec(interval ?? "") ?? [];
  return minutes === undefined && days === undefined ? null
    : 86400 * (days ?? 0) + 3600 * (hours ?? 0) + 60 * (minutes ?? 0) + Number(seconds ?? 0);
}

const STATES = { finished: "✓ finished", running: "… running", failed: "✗ failed" };

export default {
  id: "jobs",
  title: "Job runs",
  views: ["job_health", "job_runs"],
  wide: true,

  async read(rows, { period: asked }) {
    const period = within(asked, KEPT_DAYS);
    const [health, past] = await Promise.all([
      rows("job_health", (query) => query.select("*").order("job")),
      rows("job_runs", (query) => query
        .select("job,started_at,duration_seconds,target_seconds,state,is_over_target")
        .gte("started_at", period.sinceTime)
        .order("started_at", { ascending: false }).order("job"), MOST_RUNS),
    ]);
    return { health, past };
  },

  show({ health, past }, { period: asked }) {
    const period = within(asked, KEPT_DAYS);
    if (!health.length) {
      return {
        updated: NOW,
        empty: {
          what: "No job is scheduled here.",
          todo: "jobs.schedules is filled by a deployment: `make up`.",
        },
      };
    }
    const byJob = Map.groupBy(past, ({ job }) => job);
    const jobs = health.map((row, index) => {
      const own = byJob.get(row.job) ?? [];
      const took = own.filter(({ state, duration_seconds: seconds }) =>
        state === "finished" && seconds !== null);
      return {
        ...row,
        index,
        own,
        seconds: secondsOf(row.duration),
        may: secondsOf(row.target),
        name: row.job,
        points: took.map((run) => ({
          x: Date.parse(run.started_at),
          // The scale is logarithmic: what took no measurable time took a millisecond.
          y: Math.max(run.duration_seconds, 0.001) / run.target_seconds,
          seconds: run.duration_seconds,
        })),
        failed: own.filter(({ state }) => state === "failed").length,
        over: own.filter(({ is_over_target: isOver }) => isOver).length,
      };
    });
    const hasPoints = jobs.some(({ points }) => points.length);
    return {
      updated: NOW,
      body: [
        scrolling("The jobs and their latest runs", table({
          caption: "The jobs and their latest runs",
          captionHidden: true,
          columns: [
            { label: "Job" },
            { label: "Latest run" },
            { label: "Began" },
            { label: "Took", numeric: true },
            { label: "May take", numeric: true },
            { label: `Runs in ${period.days} days`, numeric: true },
            { label: "Failed", numeric: true },
            { label: "Over target", numeric: true },
          ],
          rows: jobs.map((job) => [
            element("span", { class: `key key-${(job.index % 6) + 1}` }, job.job),
            element("span", {
              class: job.state === "failed" || job.is_over_target ? "verdict missed" : null,
            }, job.state === null ? (job.is_enabled ? "never" : "off") : STATES[job.state],
            job.is_over_target ? ", over its target" : ""),
            format.time(job.started_at),
            format.duration(job.seconds),
            format.duration(job.may),
            past.length === MOST_RUNS ? `${format.count(job.own.length)}+`
              : format.count(job.own.length),
            format.count(job.failed),
            format.count(job.over),
          ]),
        })),
        hasPoints
          ? plot(
            `Finished runs over ${period.days} days as a share of their targets: ${jobs.map((job) =>
              `${job.job} ${job.points.length} runs, ${job.over} over`).join("; ")}.`,
            runs({
              jobs,
              from: drawnFrom(period, jobs.flatMap(({ points }) => points.map(({ x }) => x))),
              to: period.to,
            }))
          : element("div", { class: "nothing" },
            element("p", { class: "what" }, `No run was finished in these ${period.days} days.`),
            element("p", {},
              prose("pg_cron runs them when their time comes; `make train` does now."))),
      ],
      tables: past.length === 0 ? [] : [{
        caption: "The latest 100 runs",
        columns: [
          { label: "Began" },
          { label: "Job" },
          { label: "State" },
          { label: "Took", numeric: true },
          { label: "Of its target", numeric: true },
        ],
        rows: past.slice(0, 100).map((run) => [
          format.time(run.started_at), run.job, run.state, format.duration(run.duration_seconds),
          run.duration_seconds === null ? "–"
            : format.percent(run.duration_seconds / run.target_seconds),
        ]),
      }],
    };
  },
};
