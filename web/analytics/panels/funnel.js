// From being seen to being applied to: how much of each kind, and of how many users.

import { plot } from "../card.js";
import { countedAt } from "../data.js";
import * as format from "../format.js";
import { bars } from "../plot.js";

const NAMES = {
  impression: "Seen", view: "Viewed", click: "Clicked", save: "Saved", share: "Shared",
  apply: "Applied", dismiss: "Dismissed",
};

export default {
  id: "funnel",
  title: "Funnel",
  views: ["funnel"],

  async read(rows, { period }) {
    const [days, updated] = await Promise.all([
      rows("funnel", (query) => query
        .select("*").gte("day", period.since).order("day").order("stage_no")),
      countedAt(rows),
    ]);
    return { days, updated };
  },

  show({ days, updated }, { period }) {
    const stages = [...Map.groupBy(days, ({ stage }) => stage)]
      .map(([stage, own]) => ({
        stage,
        number: own[0].stage_no,
        events: own.reduce((all, row) => all + row.event_count, 0),
        userDays: own.reduce((all, row) => all + row.user_count, 0),
      }))
      .sort((a, b) => a.number - b.number);
    const most = Math.max(0, ...stages.map(({ events }) => events));
    if (!most) {
      return {
        updated,
        empty: {
          what: `Nobody did anything in these ${period.days} days.`,
          todo: "Interactions come from the feed's page, or from "
            + "`POST /api/v1/feed/interactions`. A world with some: `make synth`.",
        },
      };
    }
    const seen = stages.find(({ stage }) => stage === "impression")?.events ?? 0;
    const share = (events) => (seen ? events / seen : null);
    const name = (stage) => NAMES[stage] ?? stage;
    return {
      updated,
      body: [plot(
        `Funnel over ${period.days} days: ${stages.map(({ stage, events }) =>
          `${name(stage)} ${format.count(events)}`).join(", ")}.`,
        bars({
          labels: stages.map(({ stage }) => name(stage)),
          values: stages.map(({ events }) => events),
          texts: stages.map(({ stage, events }) => (seen && stage !== "impression"
            ? `${format.count(events)} · ${format.percent(share(events))}`
            : format.count(events))),
          colours: stages.map(({ stage }) => (stage === "dismiss" ? 1 : 0)),
          max: most,
          room: 110,
        }), "funnel")],
      tables: [{
        caption: `Events by kind, ${period.days} days`,
        columns: [
          { label: "Stage" },
          { label: "Events", numeric: true },
          { label: "Of impressions", numeric: true },
          { label: "Users a day", numeric: true },
        ],
        rows: stages.map(({ stage, events, userDays }) => [
          name(stage), format.count(events), format.percent(share(events)),
          format.decimal(1)(userDays / period.days),
        ]),
      }],
    };
  },
};
