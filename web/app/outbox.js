// What a user did, on its way to the server: kept until the server has answered for it.
//
// Nothing is lost: each event is written to localStorage before anything is sent, and leaves it
// only when the server has answered for that event. Nothing is doubled: each has an id of its own
// by which the server knows it again, so whatever got no answer is simply sent once more. Every
// event is a key of its own, so that two tabs never write the same one, and the keys carry the
// user: what one did is only ever sent with that user's own token.
//
// Two tabs take turns at sending (Web Locks), which saves requests; where a browser has no locks
// the ids alone keep it right.

import { Failure, serverNow } from "./api.js";

const PREFIX = "pgfeed.outbox";
const DAY = 86_400_000;
// As the server has them: later than that it refuses.
const LIFETIMES = { interaction: 7 * DAY, retraction: 7 * DAY, impression: DAY };
const BATCH = 100;
const DELAY = 2_000;
const OTHERS_DELAY = 3_000;
const LONGEST_WAIT = 60_000;
const SHORT_WAIT = 1_500;

function newId() {
  // randomUUID is only there over https and on localhost.
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/**
 * One user's outbox in one tab.
 *
 * Tells listeners "change" when something comes or goes, and "refused" (detail: the item, and
 * the server's error) when the server will not have an event.
 */
export class Outbox extends EventTarget {
  #api;
  #user;
  #mine = new Map(); // What this tab added and got no answer for.
  #timer = null;
  #failures = 0;
  #waitUntil = 0;
  #sending = null;
  #count = 0;
  #closed = false;

  // Another tab has something to send, and may be closed before it has: then this one sends it.
  #hear = ({ key, newValue }) => {
    if (key?.startsWith(this.#key("")) && newValue) this.#schedule(OTHERS_DELAY);
  };

  constructor(user, api) {
    super();
    this.#user = user;
    this.#api = api;
    addEventListener("storage", this.#hear);
  }

  // ---------------------------------------------------------------- adding

  /** Records what the user did; answers the event's id. `urgent`: send it now. */
  interaction(listingId, type, { metadata, urgent = false } = {}) {
    const body = {
      listing_id: listingId,
      type,
      event_id: newId(),
      occurred_at: new Date(serverNow()).toISOString(),
      ...(metadata && { metadata }),
    };
    this.#add({ kind: "interaction", id: body.event_id, body }, urgent ? 0 : DELAY);
    return body.event_id;
  }

  /** Records that a row of the feed was on the screen. */
  impression(ticket) {
    this.#add({ kind: "impression", id: ticket, body: ticket }, DELAY);
  }

  /** Takes an event back: out of the outbox, or at the server if it may have got there. */
  async retract(eventId) {
    // Kept before anything is waited for: a tab that is closed now has still taken it back.
    const retraction = { kind: "retraction", id: `undo-${eventId}`, body: eventId };
    this.#add(retraction, 0);
    await this.#locked(() => {
      const item = this.#read(this.#key(eventId)) ?? this.#mine.get(eventId);
      if (!item || item.isTried) return;
      this.#remove(item);
      this.#remove(retraction);
    });
  }

  #add(item, delay) {
    item.at = serverNow();
    item.no = this.#count++;
    this.#mine.set(item.id, item);
    this.#write(item);
    this.#changed();
    this.#schedule(delay);
  }

  // ---------------------------------------------------------------- what is kept

  #key(id) {
    return `${PREFIX}.${this.#user}.${id}`;
  }

  #write(item) {
    try {
      localStorage.setItem(this.#key(item.id), JSON.stringify(item));
      item.isKept = true;
    } catch {
      // Full, or forbidden: then it lives as long as this page.
    }
  }

  #read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  #remove(item) {
    this.#mine.delete(item.id);
    localStorage.removeItem(this.#key(item.id));
    this.#changed();
  }

  /** Everything that waits, oldest first, of whatever tab or earlier visit. */
  items() {
    const prefix = this.#key("");
    // What was kept and is there no more, another tab has sent.
    const found = [...this.#mine.values()].filter(({ isKept }) => !isKept);
    for (const key of Object.keys(localStorage)) {
      const item = key.startsWith(prefix) && this.#read(key);
      if (item?.kind in LIFETIMES) found.push(item);
    }
    return found.sort((a, b) => a.at - b.at || a.no - b.no);
  }

  /** How many of the user's doings wait. */
  get size() {
    return this.items().filter(({ kind }) => kind !== "impression").length;
  }

  /** Listings that wait to be dismissed or applied to: no feed should show them again. */
  goneListings() {
    const items = this.items();
    const undone = new Set(items.filter(({ kind }) => kind === "retraction").map(({ body }) => body));
    return items
      .filter(({ kind, id }) => kind === "interaction" && !undone.has(id))
      .filter(({ body }) => ["apply", "dismiss"].includes(body.type))
      .map(({ body }) => body.listing_id);
  }

  // ---------------------------------------------------------------- sending

  #schedule(delay) {
    if (this.#closed) return;
    const wait = Math.max(delay, this.#waitUntil - performance.now());
    if (this.#timer && this.#timer.due <= performance.now() + wait) return;
    clearTimeout(this.#timer?.id);
    const id = setTimeout(() => {
      this.#timer = null;
      this.flush();
    }, wait);
    this.#timer = { id, due: performance.now() + wait };
  }

  /** Sends what waits. Never fails: what could not be sent is tried again later. */
  flush() {
    this.#sending ??= this.#locked(() => this.#sendAll()).finally(() => {
      this.#sending = null;
      // Something may have come after the last look.
      if (this.items().length) this.#schedule(DELAY);
    });
    return this.#sending;
  }

  /** As flush, but whoever waits for it has not long. */
  flushSoon() {
    if (!this.items().length) return Promise.resolve();
    return Promise.race([
      this.flush(),
      new Promise((resolve) => setTimeout(resolve, SHORT_WAIT)),
    ]);
  }

  /** Goes on with another token of the same user. */
  renew(api) {
    this.#api = api;
    this.#closed = false;
    this.retryNow();
  }

  /** Tries at once, for instance when the network is back. */
  retryNow() {
    this.#waitUntil = 0;
    this.#failures = 0;
    this.#schedule(0);
  }

  async #locked(act) {
    if (!navigator.locks) return act();
    return navigator.locks.request(`${PREFIX}.${this.#user}`, act);
  }

  async #sendAll() {
    try {
      for (;;) {
        const items = this.#freshItems();
        const next = (kind) => items.filter((item) => item.kind === kind).slice(0, BATCH);
        const interactions = next("interaction");
        const impressions = next("impression");
        // Retractions last: what they take back must have arrived.
        const [retraction] = interactions.length ? [] : next("retraction");
        if (interactions.length) await this.#sendInteractions(interactions, "rpc");
        if (impressions.length) await this.#sendImpressions(impressions, "rpc");
        if (retraction) await this.#sendRetraction(retraction);
        if (!interactions.length && !impressions.length && !retraction) break;
      }
      this.#failures = 0;
    } catch (failure) {
      if (!(failure instanceof Failure)) console.error(failure);
      this.#postpone(failure);
    }
  }

  // Without those that the server would no longer take.
  #freshItems() {
    return this.items().filter((item) => {
      const isFresh = serverNow() - item.at < LIFETIMES[item.kind];
      if (!isFresh) this.#remove(item);
      return isFresh;
    });
  }

  // Longer and longer, at least as long as the server asks, and not all tabs at one moment.
  #postpone({ kind, wait = 0 }) {
    this.#failures += 1;
    // Another token makes another outbox, which finds what this one leaves.
    if (kind === "signed-out") this.#closed = true;
    const patience = Math.min(LONGEST_WAIT, 1000 * 2 ** (this.#failures - 1));
    const pause = Math.max(1000 * wait, patience) * (1 + Math.random() / 4);
    this.#waitUntil = performance.now() + pause;
    this.#schedule(pause);
  }

  async #sendInteractions(items, call) {
    for (const item of items) {
      // Written before it is sent: from here on only the server knows whether it has the event.
      item.isTried = true;
      this.#write(item);
    }
    const args = { events: items.map(({ body }) => body), on_error: "skip" };
    await this.#halving(items, async (some) => {
      const events = some === items ? args.events : some.map(({ body }) => body);
      const answers = await this.#api[call]("track_interactions", { ...args, events });
      for (const { index, status, error } of answers) {
        this.#remove(some[index]);
        if (status === "error") this.#refused(some[index], error);
      }
    });
  }

  async #sendImpressions(items, call) {
    await this.#halving(items, async (some) => {
      await this.#api[call]("track_impressions", { tickets: some.map(({ body }) => body) });
      for (const item of some) this.#remove(item);
    });
  }

  async #sendRetraction(item) {
    try {
      await this.#api.rpc("retract_interaction", { event_id: item.body });
    } catch (failure) {
      // There is no such event, or no more: as was asked for.
      if (failure.code !== "PT404" && failure.kind !== "refused") throw failure;
    }
    this.#remove(item);
  }

  // A batch that is refused as a whole holds something bad: its halves are sent, until the bad
  // one stands alone and is dropped.
  async #halving(items, send) {
    try {
      await send(items);
    } catch (failure) {
      if (failure.kind !== "refused") throw failure;
      if (items.length === 1) {
        this.#remove(items[0]);
        this.#refused(items[0], failure);
        return;
      }
      const middle = items.length >> 1;
      await this.#halving(items.slice(0, middle), send);
      await this.#halving(items.slice(middle), send);
    }
  }

  #refused(item, error) {
    this.dispatchEvent(new CustomEvent("refused", { detail: { item, error } }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  // ---------------------------------------------------------------- leaving

  /**
   * The page may be going: sends what this tab added, in requests that outlive it.
   *
   * Nothing is waited for, no lock either. If the answer is not heard any more, the next visit
   * sends the same events, and the server knows them.
   */
  part() {
    const items = this.#freshItems().filter(({ id }) => this.#mine.has(id));
    const next = (kind) => items.filter((item) => item.kind === kind).slice(0, BATCH);
    const interactions = next("interaction");
    const impressions = next("impression");
    const ignore = (failure) => {
      if (!(failure instanceof Failure)) throw failure;
    };
    if (interactions.length) this.#sendInteractions(interactions, "partingRpc").catch(ignore);
    if (impressions.length) this.#sendImpressions(impressions, "partingRpc").catch(ignore);
  }

  /** Sends what it can with this user's token, and rests. */
  close() {
    this.part();
    removeEventListener("storage", this.#hear);
    this.#closed = true;
    clearTimeout(this.#timer?.id);
  }
}
