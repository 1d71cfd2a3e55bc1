// The calls of one signed-in user, or of nobody, through postgrest-js.

import { PostgrestClient } from "/vendor/postgrest-js.js";

const PATIENCE = 30_000;

/** A call that failed: `kind` is offline, signed-out, busy (try later) or refused. */
export class Failure extends Error {
  constructor(kind, { status = 0, code = "", message = "", wait = 0 } = {}) {
    super(message || kind);
    Object.assign(this, { kind, status, code, wait });
  }
}

// What to do about an answer follows from its status. A broken connection of the database to
// its API is a 400 that says so in its code; a path or call that is missing is being deployed.
function kindOf(status, code) {
  if (status === 0) return navigator.onLine ? "busy" : "offline";
  if (status === 401) return "signed-out";
  if (code === "PT503" || status >= 500 || [404, 405, 408, 425, 429].includes(status)) return "busy";
  return "refused";
}

// ------------------------------------------------------------------ the server's clock
//
// Events carry the time at which they happened. A client's own clock may be wrong or be set
// meanwhile, and what would lie in the future is refused: so time is what the latest answer
// said (whole seconds, rounded down), and what has passed since by the clock that nobody sets.

let base = Date.now();
let baseAt = performance.now();

function notice(headers) {
  const said = Date.parse(headers.get("Date"));
  if (Number.isFinite(said)) [base, baseAt] = [said, performance.now()];
}

/** The server's time in milliseconds: a little behind it, never ahead. */
export const serverNow = () => base + (performance.now() - baseAt);

// ------------------------------------------------------------------ calls

export class Api {
  #client;
  #parting;

  /** With no token it is nobody who asks. */
  constructor(token) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const make = (options) =>
      new PostgrestClient(new URL("/rest/v1", location.href).href, {
        headers,
        schema: "api",
        fetch: (url, init) => this.#fetch(url, { ...init, ...options() }),
      });
    this.#client = make(() => ({ signal: AbortSignal.timeout(PATIENCE) }));
    // Goes on when the page is gone; the browser allows some 60 KB of it.
    this.#parting = make(() => ({ keepalive: true }));
  }

  async #fetch(url, init) {
    const answer = await fetch(url, init);
    notice(answer.headers);
    const wait = Number(answer.headers.get("Retry-After"));
    if (answer.ok || !(wait > 0)) return answer;
    // postgrest-js keeps the headers to itself: what it reads of an error carries the wait.
    const text = await answer.text();
    let error = {};
    try {
      error = JSON.parse(text);
    } catch {
      error = { message: text };
    }
    return new Response(JSON.stringify({ ...error, wait }), answer);
  }

  async #read(query) {
    // Not await alone, which would send it a moment later: the page may be going.
    const { data, error, status } = await query.then((answer) => answer);
    if (!error) return data;
    const { code = "", message = "", wait = 0 } = error;
    throw new Failure(kindOf(status, code), { status, code, message, wait });
  }

  rpc(name, args) {
    return this.#read(this.#client.rpc(name, args));
  }

  /** As rpc, in a request that outlives the page. It is under way when this returns. */
  partingRpc(name, args) {
    return this.#read(this.#parting.rpc(name, args));
  }

  /** `build` gets the relation and answers the query. */
  from(relation, build) {
    return this.#read(build(this.#client.from(relation)));
  }
}
