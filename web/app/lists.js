// The four lists: what each asks for, and what it says when there is nothing.

import { List } from "./list.js";

const PAGE = 20;
const MOST_EXCLUDED = 1000;

export function makeFeed(visit, { onWiden }) {
  return new List({
    name: "feed",
    title: "For you",
    lead: "Best first, as of now.",
    visit,
    canDismiss: true,
    empty: {
      title: "Nothing here for you yet",
      text: "No open listing fits your distance and tags, or you have seen them all.",
      action: { label: "Change what you see", act: onWiden },
    },
    async load(shown) {
      // What waits to be sent has not counted yet: the next feed must know of it.
      if (!shown.size) await visit.outbox.flushSoon();
      const gone = visit.outbox.goneListings();
      // POST: on GET the list would have to fit into an address, and the function does not
      // learn the limit, so that it would rank 200 rows for twenty.
      const rows = await visit.api.rpc("get_feed", {
        limit: PAGE,
        exclude: [...gone, ...shown].slice(-MOST_EXCLUDED),
      });
      return { rows, isLast: rows.length < PAGE };
    },
  });
}

export function makeTrending(visit) {
  let offset = 0;
  return new List({
    name: "trending",
    title: "Trending",
    lead: "Of the last seven days.",
    visit,
    empty: {
      title: "Nothing trends yet",
      text: "As soon as people apply, save and share, it shows here.",
    },
    async load(shown) {
      if (!shown.size) offset = 0;
      const rows = await visit.api.from("trending", (relation) =>
        relation
          .select("*")
          .order("trending_score", { ascending: false })
          .order("listing_id")
          .range(offset, offset + PAGE - 1),
      );
      offset += rows.length;
      if (visit.user && rows.length) {
        const ids = rows.map((row) => row.listing_id);
        const mine = await visit.api.from("my_listings", (relation) =>
          relation.select("listing_id,saved_at,applied_at").in("listing_id", ids),
        );
        visit.remember(mine);
      }
      return { rows, isLast: rows.length < PAGE };
    },
  });
}

function makeMine(visit, { name, title, lead, column, empty }) {
  return new List({
    name,
    title,
    lead,
    visit,
    empty,
    // Other tabs and other lists change it.
    isLive: true,
    async load(shown) {
      await visit.outbox.flushSoon();
      const rows = await visit.api.from("my_listings", (relation) =>
        relation
          .select("*")
          .not(column, "is", null)
          .order(column, { ascending: false })
          .order("listing_id")
          .range(shown.size, shown.size + PAGE - 1),
      );
      visit.remember(rows);
      return { rows, isLast: rows.length < PAGE };
    },
  });
}

export const makeSaved = (visit) =>
  makeMine(visit, {
    name: "saved",
    title: "Saved",
    lead: "Latest first.",
    column: "saved_at",
    empty: {
      title: "You have saved nothing yet",
      text: "Press Save on a listing, and it waits for you here.",
    },
  });

export const makeApplied = (visit) =>
  makeMine(visit, {
    name: "applied",
    title: "Applied",
    lead: "Latest first.",
    column: "applied_at",
    empty: {
      title: "You have applied to nothing yet",
      text: "What you apply to is listed here.",
    },
  });
