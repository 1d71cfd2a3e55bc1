// One user's time on the page: their calls, their outbox, and what they did to each listing.

import { Api } from "./api.js";
import * as format from "./format.js";
import { say } from "./notices.js";
import { Outbox } from "./outbox.js";
import { Tracker } from "./tracker.js";

const DONE = { apply: "Applied.", save: "Saved." };
const UNDONE = { apply: "Your application is withdrawn.", save: "No longer saved." };

// Who is not signed in does nothing that could be told.
const NOBODY = {
  watch() {},
  unwatch() {},
  seen() {},
  open() {},
  closed() {},
  setSeen() {},
  close() {},
};

export class Visit {
  /** Where the user is, {lat, lon} or nothing. */
  place = null;
  #states = new Map(); // listing_id -> {save, apply, isClosed}; true where its event is not known
  // listing_id -> [WeakRef of element], element -> function: cards that are gone are forgotten.
  #followers = new Map();
  #shows = new WeakMap();

  constructor(user, token, { onOpen, onSignedOut }) {
    this.user = user;
    this.api = new Api(token);
    this.outbox = user && new Outbox(user, this.api);
    this.tracker = user ? new Tracker(this.outbox) : NOBODY;
    this.open = onOpen;
    this.signedOut = onSignedOut;
    this.outbox?.addEventListener("refused", ({ detail }) => this.#refused(detail));
  }

  /** The same user has a new token. */
  renew(token) {
    this.api = new Api(token);
    this.outbox?.renew(this.api);
  }

  close() {
    this.tracker.close();
    this.outbox?.close();
  }

  // ---------------------------------------------------------------- states

  state(listingId) {
    if (!this.#states.has(listingId)) this.#states.set(listingId, {});
    return this.#states.get(listingId);
  }

  /** Calls `show` with the listing's state, now and whenever it changes while `element` lives. */
  follow({ listing_id: id }, element, show) {
    this.#shows.set(element, show);
    this.#followers.set(id, [...this.#living(id), new WeakRef(element)]);
    show(this.state(id));
  }

  #living(id) {
    return (this.#followers.get(id) ?? []).filter((follower) => follower.deref());
  }

  #set(id, change) {
    const state = Object.assign(this.state(id), change);
    for (const follower of this.#living(id)) this.#shows.get(follower.deref())?.(state);
  }

  /** Takes over what my_listings says of rows. */
  remember(rows) {
    for (const row of rows) {
      const { save, apply } = this.state(row.listing_id);
      this.#set(row.listing_id, {
        save: save ?? Boolean(row.saved_at),
        apply: apply ?? Boolean(row.applied_at),
      });
    }
  }

  // ---------------------------------------------------------------- doing

  /** Saves or applies; or takes it back, if it is done already. */
  async toggle(row, type) {
    const id = row.listing_id;
    const state = this.state(id);
    if (state[type]) {
      await this.#undo(id, type, state[type]);
    } else if (type === "apply" && (state.isClosed || row.status === "closed")) {
      say("This listing is closed and takes no more applications.");
    } else {
      this.tracker.seen(row);
      const eventId = this.outbox.interaction(id, type, { urgent: true });
      this.#set(id, { [type]: eventId });
      say(navigator.onLine ? DONE[type] : `${DONE[type]} It is sent when you are online again.`, {
        label: "Undo",
        act: () => this.#undo(id, type, eventId),
      });
    }
  }

  async #undo(id, type, event) {
    this.#set(id, { [type]: false });
    try {
      for (const eventId of event === true ? await this.#events(id, type) : [event]) {
        await this.outbox.retract(eventId);
      }
      say(UNDONE[type]);
    } catch (failure) {
      this.#set(id, { [type]: event });
      this.failed(failure);
    }
  }

  // The events of an earlier visit.
  async #events(id, type) {
    const found = await this.api.from("my_interactions", (relation) =>
      relation.select("event_id").eq("listing_id", id).eq("type", type),
    );
    return found.map((event) => event.event_id);
  }

  /** Answers the event, by which restore() takes it back. */
  dismiss(row, element) {
    this.tracker.seen(row);
    this.tracker.unwatch(element);
    return this.outbox.interaction(row.listing_id, "dismiss", { urgent: true });
  }

  async restore(row, eventId, element) {
    await this.outbox.retract(eventId);
    this.tracker.watch(element, row);
  }

  async share(row) {
    const url = format.address(row.url)?.href ?? new URL(`/#listing/${row.listing_id}`, location.href).href;
    try {
      if (navigator.share) {
        await navigator.share({ title: row.title, url });
      } else {
        await navigator.clipboard.writeText(url);
        say("The address is in the clipboard.");
      }
    } catch (error) {
      // Changed their mind; or the browser forbids both, and there is nothing to count.
      if (error.name !== "AbortError") say(`Copy this address to share it: ${url}`);
      if (error.name === "AbortError") return;
    }
    this.tracker.seen(row);
    this.outbox?.interaction(row.listing_id, "share");
  }

  // ---------------------------------------------------------------- going wrong

  #refused({ item, error }) {
    if (item.kind !== "interaction" || !["apply", "save"].includes(item.body.type)) return;
    const { listing_id: id, type } = item.body;
    const isClosed = type === "apply" && error.code === "PT409";
    this.#set(id, { [type]: false, ...(isClosed && { isClosed }) });
    say(
      isClosed
        ? "This listing has closed meanwhile: your application was not taken."
        : "That could not be recorded.",
    );
  }

  /** Says what went wrong with something the user asked for. */
  failed(failure) {
    if (failure.kind === "signed-out") this.signedOut();
    else if (failure.kind === "offline") say("You are offline. Try again when you are back.");
    else say("That did not work. Try again in a moment.");
  }
}
