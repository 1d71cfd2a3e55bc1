// A listing as a card, with what a user can do about it.

import { serverNow } from "./api.js";
import { el, icon, unseen } from "./dom.js";
import * as format from "./format.js";

const COMPONENTS = {
  location: "How near it is",
  tag: "Tags you like",
  engagement: "What others do with it",
  recency: "How new it is",
  poster: "Who posted it",
  collaborative: "People with a taste like yours",
  content: "Like what you chose before",
  poster_affinity: "A poster you chose before",
  item_similarity: "Goes with what you chose lately",
};

let lastId = 0;
const newId = (name) => `${name}-${++lastId}`;

// ------------------------------------------------------------------ parts

function fact(iconName, text, { title, label } = {}) {
  if (text == null) return null;
  return el("li", { title }, icon(iconName), label && unseen(`${label} `), text);
}

/** Pay, distance, age, poster: what is known of them. */
export function facts(row, place) {
  // The feed says how far; elsewhere it follows from the two places.
  const km = row.distance_km ?? format.kilometres(place, row);
  const isRemote = "lat" in row && row.lat == null;
  const now = serverNow();
  const posted = format.age(row.created_at, now);
  const hoursLeft = (Date.parse(row.expires_at) - now) / 3_600_000;
  const closing = hoursLeft > 0 && hoursLeft < 7 * 24 ? format.age(row.expires_at, now) : null;
  const quality = format.percent(row.components?.poster?.value);
  return el(
    "ul",
    { class: "facts" },
    fact("pay", format.pay(row.compensation, row.currency), { label: "Pay" }),
    fact("pin", isRemote ? "Anywhere" : km == null ? null : `${format.distance(km)} away`),
    fact("clock", posted, { label: "Posted", title: format.date(row.created_at) }),
    closing && fact("clock", `closes ${closing}`, { title: format.date(row.expires_at) }),
    fact("star", quality && `Poster quality ${quality}`, {
      title: "From ratings, deals completed and experience",
    }),
  );
}

export function tagList(row, most = Infinity) {
  const tags = row.tags ?? [];
  if (!tags.length) return null;
  const shown = tags.slice(0, most).map((tag) => el("li", { class: "tag" }, tag));
  const rest = tags.length - shown.length;
  if (rest > 0) shown.push(el("li", { class: "tag rest" }, `+${format.count(rest)}`));
  return el("ul", { class: "tags", "aria-label": "Tags" }, shown);
}

/** The components that weigh something: a bar of what each gives, in points of a hundred. */
export function scoreBar(row) {
  const bar = el("div", { class: "bar", "aria-hidden": "true" });
  const list = el("dl", { class: "points" });
  for (const [name, words] of Object.entries(COMPONENTS)) {
    const { contribution = 0, weight = 0 } = row.components?.[name] ?? {};
    if (!weight) continue;
    if (contribution > 0) {
      const part = el("span", { "data-part": name });
      part.style.flexGrow = contribution;
      bar.append(part);
    }
    list.append(
      el(
        "div",
        {},
        el("dt", {}, el("span", { class: "dot", "data-part": name, "aria-hidden": "true" }), words),
        el(
          "dd",
          {},
          el("strong", {}, format.hundredths(contribution)),
          ` of ${format.count(Math.round(100 * weight))}`,
        ),
      ),
    );
  }
  const rest = el("span", { class: "rest" });
  rest.style.flexGrow = Math.max(0, 1 - row.score);
  bar.append(rest);
  return [bar, list];
}

/** "Why it is here", with the bar behind a button. */
export function why(row) {
  if (!row.reason && !row.components) return null;
  const panel = el("div", { class: "score", id: newId("score"), hidden: true });
  const button =
    row.components &&
    el(
      "button",
      {
        type: "button",
        class: "more",
        "aria-expanded": "false",
        "aria-controls": panel.id,
        on: {
          click: () => {
            if (!panel.firstChild) panel.append(...scoreBar(row));
            panel.hidden = !panel.hidden;
            button.setAttribute("aria-expanded", String(!panel.hidden));
          },
        },
      },
      "Score ",
      el("strong", {}, format.count(Math.round(100 * row.score))),
    );
  return el(
    "div",
    { class: "why" },
    el("p", {}, icon("why"), unseen("Why it is here: "), format.sentence(row.reason ?? "")),
    button,
    panel,
  );
}

// ------------------------------------------------------------------ actions

/** Save, share and apply, for a card or the open listing. Every place that shows it follows. */
export function actions(row, visit) {
  const isOver =
    row.status === "closed" || (row.expires_at && Date.parse(row.expires_at) <= serverNow());
  const apply = el("button", {
    type: "button",
    class: "button primary apply",
    on: { click: () => visit.toggle(row, "apply") },
  });
  const save = el("button", {
    type: "button",
    class: "button save",
    on: { click: () => visit.toggle(row, "save") },
  });
  const share = el(
    "button",
    { type: "button", class: "button plain share", on: { click: () => visit.share(row) } },
    icon("share"),
    el("span", { class: "word" }, "Share"),
    unseen(row.title),
  );

  const group = el("div", { class: "actions", hidden: !visit.user }, apply, save, share);
  visit.follow(row, group, (state) => {
    const isClosed = isOver || state.isClosed;
    apply.replaceChildren(
      ...(state.apply ? [icon("applied"), "Applied"] : [isClosed ? "Closed" : "Apply"]),
      unseen(state.apply ? `${row.title}. Press to withdraw` : row.title),
    );
    // Not disabled: whoever has just pressed it would lose their place.
    apply.setAttribute("aria-disabled", String(Boolean(isClosed && !state.apply)));
    apply.classList.toggle("done", Boolean(state.apply));
    save.replaceChildren(
      icon("saved"),
      el("span", { class: "word" }, state.save ? "Saved" : "Save"),
      unseen(row.title),
    );
    save.setAttribute("aria-pressed", String(Boolean(state.save)));
  });
  return group;
}

// ------------------------------------------------------------------ the card

// Space is kept before the picture comes, and stays when it does not.
export function picture(row) {
  const url = format.address(row.image_url, ["https:"]);
  if (!url) return null;
  return el("img", {
    class: "picture",
    src: url.href,
    alt: "",
    width: 640,
    height: 320,
    loading: "lazy",
    decoding: "async",
    referrerpolicy: "no-referrer",
  });
}

export class Card {
  constructor(row, { visit, canDismiss = false }) {
    this.row = row;
    const titleId = newId("title");
    const title = el(
      "button",
      { type: "button", class: "title", id: titleId, on: { click: () => visit.open(row) } },
      row.title,
    );
    const dismiss =
      canDismiss &&
      el(
        "button",
        {
          type: "button",
          class: "dismiss",
          title: "Not for me",
          on: { click: () => this.#dismiss(visit) },
        },
        icon("close"),
        unseen(`Not for me: ${row.title}`),
      );
    this.titleId = titleId;
    this.title = title;
    this.body = el(
      "div",
      { class: "card-body" },
      picture(row),
      el("header", {}, el("h3", {}, title), dismiss),
      facts(row, visit.place),
      tagList(row, 6),
      why(row),
      actions(row, visit),
    );
    this.element = el(
      "article",
      { class: "card", "aria-labelledby": titleId, tabindex: "-1" },
      this.body,
    );
  }

  focus() {
    this.title.focus();
  }

  // The card shrinks to a line with the way back, where the eye and the focus already are.
  #dismiss(visit) {
    const { row } = this;
    const eventId = visit.dismiss(row, this.element);
    const undo = el(
      "button",
      {
        type: "button",
        class: "button plain",
        on: {
          click: () => {
            this.element.classList.remove("dismissed");
            this.element.replaceChildren(this.body);
            this.focus();
            visit.restore(row, eventId, this.element);
          },
        },
      },
      "Undo",
      unseen(row.title),
    );
    this.element.classList.add("dismissed");
    this.element.replaceChildren(
      el("p", {}, "Dismissed: ", el("span", { id: this.titleId }, row.title)),
      undo,
    );
    undo.focus();
  }
}
