// What is on the screen, and for how long.
//
// A card is on the screen when at least half of it is (or it fills half of the screen), in a tab
// that is seen. After a second that is an impression, sent with the row's ticket. Five seconds
// are a look: when it ends, a `view` with its seconds. Opening a listing is a click, and a view
// however short; and whoever does something with a card has seen it, however quick they were. A
// look that nobody interrupts for five minutes ends there: the tab was left open.

const IMPRESSION_AFTER = 1;
const LOOK_AFTER = 5;
const LONGEST_LOOK = 300;

const seconds = () => performance.now() / 1000;

export class Tracker {
  #outbox;
  #watched = new Map(); // element -> {row, isVisible, since, timer}
  #impressed = new Set(); // tickets
  #opened = null; // {row, since, isReported}
  #observer = new IntersectionObserver((entries) => this.#see(entries), {
    threshold: [0, 0.25, 0.5, 0.75, 1],
  });

  constructor(outbox) {
    this.#outbox = outbox;
  }

  /** Follows a card as long as it is in the page. */
  watch(element, row) {
    this.#watched.set(element, { row, isVisible: false, since: null });
    this.#observer.observe(element);
  }

  unwatch(element) {
    const state = this.#watched.get(element);
    if (!state) return;
    this.#stop(state);
    this.#observer.unobserve(element);
    this.#watched.delete(element);
  }

  /** A row was on the screen; rows that are not of the feed have no ticket. */
  seen({ ticket }) {
    if (!ticket || this.#impressed.has(ticket)) return;
    this.#impressed.add(ticket);
    this.#outbox.impression(ticket);
  }

  /** A listing is opened: a click, and a view until closed() is called. */
  open(row) {
    this.closed();
    for (const state of this.#watched.values()) this.#stop(state);
    this.seen(row);
    this.#outbox.interaction(row.listing_id, "click");
    this.#opened = { row, since: seconds(), isReported: false };
  }

  closed() {
    this.#endOpened();
    this.#opened = null;
    this.#startAll();
  }

  /** The tab is left, or looked at again. */
  setSeen(isSeen) {
    if (!isSeen) {
      for (const state of this.#watched.values()) this.#stop(state);
      this.#endOpened();
    } else if (this.#opened) {
      this.#opened.since ??= seconds();
    } else {
      this.#startAll();
    }
  }

  close() {
    this.setSeen(false);
    this.#observer.disconnect();
    this.#watched.clear();
  }

  #see(entries) {
    for (const entry of entries) {
      const state = this.#watched.get(entry.target);
      if (!state) continue;
      const screen = entry.rootBounds?.height ?? innerHeight;
      state.isVisible =
        entry.isIntersecting &&
        (entry.intersectionRatio >= 0.5 || entry.intersectionRect.height >= screen / 2);
      if (state.isVisible) this.#start(state);
      else this.#stop(state);
    }
  }

  #startAll() {
    for (const state of this.#watched.values()) if (state.isVisible) this.#start(state);
  }

  #start(state) {
    if (state.since !== null || document.hidden || this.#opened) return;
    state.since = seconds();
    state.timer = setTimeout(() => this.seen(state.row), 1000 * IMPRESSION_AFTER);
  }

  #stop(state) {
    clearTimeout(state.timer);
    if (state.since === null) return;
    this.#view(state.row, state.since, LOOK_AFTER);
    state.since = null;
  }

  #endOpened() {
    if (this.#opened?.since == null) return;
    // Back after an interruption, it is a look of its own.
    this.#view(this.#opened.row, this.#opened.since, this.#opened.isReported ? LOOK_AFTER : 0);
    this.#opened.isReported = true;
    this.#opened.since = null;
  }

  #view(row, since, least) {
    const length = Math.min(seconds() - since, LONGEST_LOOK);
    if (length < least) return;
    const metadata = { seconds: Math.round(10 * length) / 10 };
    this.#outbox.interaction(row.listing_id, "view", { metadata });
  }
}
