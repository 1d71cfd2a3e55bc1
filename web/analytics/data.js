// Rows of the analytics views, through the gateway, with the token of the session.
//
// Few requests at a time: the gateway lets one token have six under way, and a second window of
// this page has the same token.

import { PostgrestClient } from "/vendor/postgrest-js.js";
import { session } from "../session.js";

const AT_ONCE = 3;
const PAGE = 1000; // PostgREST gives no more rows in one answer

// Why there are no rows: the status (0: no answer at all), the message and what to do.
export class Refused extends Error {
  constructor(status, { message, hint }) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

let underWay = 0;
const waiting = [];

async function polite(url, options) {
  if (underWay === AT_ONCE) await new Promise((go) => waiting.push(go));
  else underWay += 1;
  try {
    return await patient(url, options);
  } finally {
    const next = waiting.shift();
    if (next) next();
    else underWay -= 1;
  }
}

// "Too many" and "not now" pass; twice is tried again after as long as the answer says.
async function patient(url, options) {
  const headers = new Headers(options.headers);
  headers.set("Authorization", `Bearer ${session.token()}`);
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(url, { ...options, headers });
    if (attempt === 3 || ![429, 503].includes(answer.status)) return answer;
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise((go) => setTimeout(go, 1000 * seconds));
  }
}

const client = new PostgrestClient(`${location.origin}/api/v1/analytics`, { fetch: polite });

// A reader of rows: rows(view, query => query.select(…), most), until the signal says stop.
export const reader = (signal) => async (view, refine, most = PAGE) => {
  const found = [];
  while (found.length < most) {
    const last = Math.min(found.length + PAGE, most) - 1;
    const { data, error, status } = await refine(client.from(view))
      .range(found.length, last)
      .abortSignal(signal);
    signal.throwIfAborted();
    if (error) throw new Refused(status, error);
    found.push(...data);
    if (data.length < PAGE) break;
  }
  return found;
};

// When the days were last counted.
export async function countedAt(rows) {
  const [latest] = await rows("daily_metrics",
    (query) => query.select("refreshed_at").order("day", { ascending: false }), 1);
  return latest?.refreshed_at;
}
