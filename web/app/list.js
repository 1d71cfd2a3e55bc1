// A list of listings: it loads as one scrolls, and says when it is empty, at its end, or when
// something went wrong. No listing is in it twice.

import { Card } from "./card.js";
import { el, icon } from "./dom.js";

const LOADING_AHEAD = "1200px";
const SKELETONS = 3;

const WORDS = {
  offline: ["You are offline", "The list comes back when you are."],
  busy: ["The feed is busy", "It tries again by itself in a moment."],
  refused: ["Something went wrong", "It is not your fault. Try again, or come back later."],
};

export class List {
  #visit;
  #load;
  #empty;
  #canDismiss;
  #shown = new Set();
  #state = "new"; // new, loading, ready, waiting, end
  #generation = 0;
  #retry = null;

  /**
   * `load(shown)` answers {rows, isLast} given a Set of the ids that are shown already. `empty`
   * is {title, text, action}. A list that `isLive` is read anew whenever it is shown.
   */
  constructor({ name, title, lead, visit, load, empty, canDismiss = false, isLive = false }) {
    Object.assign(this, { name, title, isLive });
    this.#visit = visit;
    this.#load = load;
    this.#empty = empty;
    this.#canDismiss = canDismiss;
    this.cards = el("div", { class: "cards", role: "feed", hidden: true, "aria-labelledby": `${name}-title` });
    this.message = el("div", { class: "message" });
    this.more = el(
      "button",
      { type: "button", class: "button more-rows", hidden: true, on: { click: () => this.next() } },
      "Show more",
    );
    const refresh = el(
      "button",
      { type: "button", class: "button plain refresh", on: { click: () => this.reload() } },
      icon("refresh"),
      "Refresh",
    );
    this.element = el(
      "section",
      { class: "list", id: `view-${name}`, "aria-labelledby": `${name}-title`, hidden: true },
      el(
        "header",
        { class: "list-head" },
        el("div", {}, el("h2", { id: `${name}-title` }, title), el("p", { class: "hint" }, lead)),
        refresh,
      ),
      this.cards,
      this.message,
      this.more,
    );
    this.cards.addEventListener("keydown", (event) => this.#walk(event));
    this.observer = new IntersectionObserver(
      ([entry]) => entry.isIntersecting && this.#state === "ready" && this.next(),
      { rootMargin: LOADING_AHEAD },
    );
    this.observer.observe(this.more);
  }

  close() {
    this.observer.disconnect();
    clearTimeout(this.#retry);
    this.#generation += 1;
  }

  show() {
    this.element.hidden = false;
    if (this.#state === "new" || this.isLive) this.reload();
  }

  hide() {
    this.element.hidden = true;
  }

  /** Begins anew; what is shown stays until there is something to show instead. */
  reload() {
    this.#generation += 1;
    this.#shown = new Set();
    this.#state = "new";
    return this.next();
  }

  async next() {
    if (["loading", "end"].includes(this.#state)) return;
    const isFirst = this.#shown.size === 0;
    const generation = this.#generation;
    this.#state = "loading";
    clearTimeout(this.#retry);
    this.more.hidden = true;
    this.cards.setAttribute("aria-busy", "true");
    this.cards.classList.toggle("stale", isFirst);
    // Where the eye is: above what is about to be replaced, below what goes on.
    if (isFirst) this.cards.before(this.message);
    else this.cards.after(this.message);
    this.message.replaceChildren();
    if (!isFirst) this.#showSkeletons(1);
    else if (this.cards.hidden) this.#showSkeletons(SKELETONS);
    try {
      const { rows, isLast } = await this.#load(this.#shown);
      if (generation !== this.#generation) return;
      this.#add(rows, isFirst);
      this.#state = isLast ? "end" : "ready";
      this.cards.after(this.message);
      this.message.replaceChildren();
      if (isLast) this.#sayEnd();
      else this.#offerMore();
    } catch (failure) {
      if (generation !== this.#generation) return;
      this.#state = "waiting";
      this.#sayFailure(failure);
    } finally {
      if (generation === this.#generation) {
        this.cards.setAttribute("aria-busy", "false");
        this.cards.classList.remove("stale");
      }
    }
  }

  /** The network is back. */
  retryNow() {
    if (this.#state === "waiting" && !this.element.hidden) this.next();
  }

  #add(rows, isFirst) {
    const cards = rows
      .filter((row) => !this.#shown.has(row.listing_id))
      .map((row) => {
        this.#shown.add(row.listing_id);
        const card = new Card(row, { visit: this.#visit, canDismiss: this.#canDismiss });
        return [card.element, row];
      });
    if (isFirst) {
      for (const old of this.cards.children) this.#visit.tracker.unwatch(old);
      this.cards.replaceChildren();
    }
    this.cards.append(...cards.map(([element]) => element));
    // An empty feed would be one without articles, which is none.
    this.cards.hidden = !this.cards.firstChild;
    for (const [element, row] of cards) this.#visit.tracker.watch(element, row);
    [...this.cards.children].forEach((card, place) => {
      card.setAttribute("aria-posinset", place + 1);
      card.setAttribute("aria-setsize", -1);
    });
  }

  // It may be on the screen already, and then nothing tells the observer.
  #offerMore() {
    this.more.hidden = false;
    this.observer.unobserve(this.more);
    this.observer.observe(this.more);
  }

  #showSkeletons(count) {
    this.message.replaceChildren(
      el("p", { class: "visually-hidden", role: "status" }, "Loading"),
      ...Array.from({ length: count }, () =>
        el("div", { class: "card skeleton", "aria-hidden": "true" }),
      ),
    );
  }

  #sayEnd() {
    if (!this.#shown.size) {
      const { title, text, action } = this.#empty;
      this.#say(title, text, action);
    } else if (this.name === "feed") {
      this.#say("That is all for now", "New listings appear here as soon as they are posted.");
    }
  }

  #sayFailure(failure) {
    if (failure.kind === "signed-out") {
      this.#visit.signedOut();
      return;
    }
    const [title, text] = WORDS[failure.kind] ?? WORDS.refused;
    if (!WORDS[failure.kind]) console.error(failure);
    this.#say(title, text, { label: "Try again", act: () => this.next() }, "alert");
    if (failure.kind === "busy") {
      const wait = 1000 * Math.max(failure.wait, 3);
      this.#retry = setTimeout(() => this.retryNow(), wait);
    }
  }

  #say(title, text, action, role = "status") {
    this.message.replaceChildren(
      el(
        "div",
        { class: "state", role },
        el("h3", {}, title),
        el("p", {}, text),
        action &&
          el(
            "button",
            { type: "button", class: "button", on: { click: () => action.act() } },
            action.label,
          ),
      ),
    );
  }

  // Page up and down walk from card to card, as the pattern of a feed has it.
  #walk(event) {
    const step = { PageDown: 1, PageUp: -1 }[event.key];
    if (!step) return;
    const all = [...this.cards.children];
    const at = all.indexOf(document.activeElement?.closest("article"));
    const to = all[at + step];
    if (!to) return;
    event.preventDefault();
    (to.querySelector("button") ?? to).focus();
    to.scrollIntoView({ block: "nearest" });
  }
}
