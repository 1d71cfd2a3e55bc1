// What a user asks of the feed. Every change is stored at once, and the next feed follows it.

import { el, icon, unseen } from "./dom.js";
import { say } from "./notices.js";

const DISTANCES = [1, 2, 5, 10, 15, 25, 50, 75, 100, 200, 500];

/** Tags as removable chips, and a field to add one. */
function tagField({ id, label, hint, tags, onChange }) {
  const list = el("ul", { class: "tags", "aria-label": label });
  const input = el("input", {
    id,
    type: "text",
    placeholder: "Add a tag",
    autocomplete: "off",
    autocapitalize: "none",
    enterkeyhint: "done",
    maxlength: 200,
    list: "known-tags",
    "aria-describedby": hint && `${id}-hint`,
  });
  const show = (now) => {
    list.replaceChildren(
      ...now.map((tag) =>
        el(
          "li",
          { class: "tag" },
          tag,
          el(
            "button",
            {
              type: "button",
              on: {
                click: () => {
                  onChange(now.filter((other) => other !== tag));
                  input.focus();
                },
              },
            },
            icon("close"),
            unseen(`Remove ${tag}`),
          ),
        ),
      ),
    );
    list.hidden = !now.length;
    current = now;
  };
  let current = [];
  const add = () => {
    const added = input.value
      .split(",")
      .map((tag) => tag.trim().toLowerCase())
      .filter(Boolean);
    input.value = "";
    if (added.length) onChange([...new Set([...current, ...added])]);
  };
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== ",") return;
    event.preventDefault();
    add();
  });
  // A suggestion that was picked, or a tag that was typed and left.
  input.addEventListener("change", add);
  show(tags);
  const element = el(
    "div",
    { class: "field" },
    el("label", { for: id }, label),
    list,
    input,
    hint && el("p", { class: "hint", id: `${id}-hint` }, hint),
  );
  return { element, show };
}

export class Preferences {
  #visit;
  #onChange;
  #values = null; // as shown
  #stored = null; // as the server last said
  #latest = null;
  #where = null; // the place that the fields were given
  #storing = Promise.resolve();
  #parts = {};
  #status = el("p", { class: "hint saved-note", role: "status" });
  #form = el("form", { class: "preferences", on: { submit: (event) => event.preventDefault() } });

  /** `onChange` is called when a change is stored. */
  constructor(visit, onChange) {
    this.#visit = visit;
    this.#onChange = onChange;
    this.element = el(
      "section",
      { id: "view-preferences", class: "panel", "aria-labelledby": "preferences-title" },
      el("h2", { id: "preferences-title" }, "Your preferences"),
      this.#status,
      this.#form,
    );
  }

  async load() {
    this.#status.textContent = "Loading…";
    try {
      this.#stored = await this.#visit.api.from("preferences", (relation) =>
        relation.select("*").single(),
      );
    } catch (failure) {
      if (failure.kind === "signed-out") {
        this.#visit.signedOut();
        return;
      }
      this.#status.replaceChildren(
        "Your preferences could not be read. ",
        el(
          "button",
          { type: "button", class: "button", on: { click: () => this.load() } },
          "Try again",
        ),
      );
      return;
    }
    this.#status.textContent = "Changes count at once.";
    this.#values = this.#stored;
    this.#visit.place = this.#stored;
    if (!this.#form.firstChild) this.#build();
    this.#show();
  }

  // Shown at once, stored one after the other; what the server says in the end is shown then.
  #store(change) {
    this.#values = { ...this.#values, ...change };
    this.#show();
    this.#status.textContent = "Saving…";
    this.#latest = change;
    this.#storing = this.#storing.then(() => this.#send(change));
  }

  async #send(change) {
    try {
      this.#stored = await this.#visit.api.from("preferences", (relation) =>
        relation.update(change).eq("user_uid", this.#visit.user).select().single(),
      );
      this.#status.textContent = "Saved. Your feed follows.";
    } catch (failure) {
      this.#status.textContent = "Not saved: your preferences are as they were.";
      this.#visit.failed(failure);
    }
    if (change !== this.#latest) return;
    this.#values = this.#stored;
    this.#visit.place = this.#stored;
    this.#show();
    this.#onChange();
  }

  #build() {
    const { preferred_tags: preferred, blocked_tags: blocked } = this.#values;
    // A tag is either liked or blocked: the latest word counts.
    const without = (tags, others) => tags.filter((tag) => !others.includes(tag));
    this.#parts.preferred = tagField({
      id: "preferred-tags",
      label: "Tags I like",
      hint: "With none, they are learned from what you do.",
      tags: preferred,
      onChange: (tags) =>
        this.#store({
          preferred_tags: tags,
          blocked_tags: without(this.#values.blocked_tags, tags),
        }),
    });
    this.#parts.blocked = tagField({
      id: "blocked-tags",
      label: "Never show",
      tags: blocked,
      onChange: (tags) =>
        this.#store({
          blocked_tags: tags,
          preferred_tags: without(this.#values.preferred_tags, tags),
        }),
    });
    const distance = el("select", {
      id: "max-distance",
      on: { change: () => this.#store({ max_distance: Number(distance.value) || null }) },
    });
    const personal = el("input", {
      id: "personalization",
      type: "checkbox",
      role: "switch",
      "aria-describedby": "personalization-hint",
      on: { change: () => this.#store({ personalization_enabled: personal.checked }) },
    });
    Object.assign(this.#parts, { distance, personal, place: this.#makePlace() });
    this.#form.append(
      this.#parts.preferred.element,
      this.#parts.blocked.element,
      el("datalist", { id: "known-tags" }),
      el("div", { class: "field" }, el("label", { for: "max-distance" }, "Distance"), distance),
      this.#parts.place.element,
      el(
        "div",
        { class: "field switch" },
        personal,
        el("label", { for: "personalization" }, "Personalise my feed"),
        el(
          "p",
          { class: "hint", id: "personalization-hint" },
          "Off: what you did does not enter the ranking.",
        ),
      ),
    );
  }

  #makePlace() {
    const degrees = (id, label, limit) =>
      el(
        "div",
        { class: "field" },
        el("label", { for: id }, label),
        el("input", {
          id,
          type: "number",
          inputmode: "decimal",
          step: "any",
          min: -limit,
          max: limit,
          required: true,
        }),
      );
    const lat = degrees("place-lat", "Latitude", 90);
    const lon = degrees("place-lon", "Longitude", 180);
    const [latInput, lonInput] = [lat, lon].map((field) => field.querySelector("input"));
    const said = el("p", { class: "hint" });
    const set = el(
      "button",
      {
        type: "button",
        class: "button",
        on: {
          click: () => {
            if (!latInput.reportValidity() || !lonInput.reportValidity()) return;
            this.#store({ lat: latInput.valueAsNumber, lon: lonInput.valueAsNumber });
          },
        },
      },
      "Set place",
    );
    const here = el(
      "button",
      { type: "button", class: "button", on: { click: () => this.#locate() } },
      icon("pin"),
      "Locate me",
    );
    const forget = el(
      "button",
      {
        type: "button",
        class: "button plain",
        on: { click: () => this.#store({ lat: null, lon: null }) },
      },
      "Forget it",
    );
    const element = el(
      "fieldset",
      { class: "field place" },
      el("legend", {}, "Place"),
      said,
      el("div", { class: "row" }, here, forget),
      el(
        "details",
        {},
        el("summary", {}, "Enter coordinates"),
        el("div", { class: "row" }, lat, lon),
        set,
      ),
    );
    return { element, said, latInput, lonInput, forget };
  }

  #locate() {
    if (!navigator.geolocation) {
      say("This browser does not tell where you are.");
      return;
    }
    navigator.geolocation.getCurrentPosition(
      // Three decimals, some hundred metres: the feed needs no more, and nobody should hold more.
      ({ coords }) => {
        const round = (degrees) => Math.round(1000 * degrees) / 1000;
        this.#store({ lat: round(coords.latitude), lon: round(coords.longitude) });
      },
      () => say("The browser did not tell where you are. Enter coordinates instead."),
      { maximumAge: 600_000, timeout: 15_000 },
    );
  }

  #show() {
    const now = this.#values;
    const { preferred, blocked, distance, personal, place } = this.#parts;
    preferred.show(now.preferred_tags);
    blocked.show(now.blocked_tags);
    const choices = new Set(DISTANCES);
    if (now.max_distance) choices.add(now.max_distance);
    distance.replaceChildren(
      ...[...choices].sort((a, b) => a - b).map((km) => new Option(`Within ${km} km`, km)),
      new Option("Any distance", ""),
    );
    distance.value = now.max_distance ?? "";
    personal.checked = now.personalization_enabled;
    const isKnown = now.lat != null;
    place.said.textContent = isKnown
      ? `${Math.abs(now.lat).toFixed(2)}° ${now.lat < 0 ? "S" : "N"}, ${Math.abs(now.lon).toFixed(2)}° ${now.lon < 0 ? "W" : "E"}`
      : "Unknown: distance does not count.";
    // Only a place that is another: what somebody is typing stays when something else was stored.
    const where = `${now.lat} ${now.lon}`;
    if (where !== this.#where) {
      this.#where = where;
      place.latInput.value = now.lat ?? "";
      place.lonInput.value = now.lon ?? "";
    }
    place.forget.hidden = !isKnown;
  }

  /** Tags to suggest: those of the listings on the page. */
  suggest(tags) {
    this.#form
      .querySelector("datalist")
      ?.replaceChildren(...[...new Set(tags)].sort().map((tag) => new Option(tag)));
  }
}
