// One card of the dashboard: a title, what the figures mean, how old they are, the charts, and
// one click away the same as a table and the SQL of the views behind it.
//
// A panel (panels/*.js) says {id, title, views, wide, follows, read, show}; read fetches rows and
// show answers with {empty} or with {body, tables, updated}.

import { element, prose, scrolling, table } from "./dom.js";
import * as format from "./format.js";
import { draw, forget } from "./plot.js";
import { theme } from "./theme.js";

const STALE = 2 * 3600 * 1000; // the job that stores the figures runs hourly

const configurations = new WeakMap();

// A chart in a box of a fixed height, and its summary for who does not see it.
export function plot(summary, configure, kind = "") {
  const canvas = element("canvas", { role: "img", "aria-label": summary });
  configurations.set(canvas, configure);
  return element("div", { class: `plot ${kind}`.trim() }, canvas);
}

// A view's COMMENT: its meaning, and the query that ends it as an example.
function commentOf(definition) {
  const [meaning, example] = (definition?.description ?? "").split(/\s*Example:\s*/);
  return { meaning: meaning.replaceAll("\n", " ").trim(), example };
}

const firstSentence = (text) => /^.*?[.:](?= |$)/.exec(text)?.[0] ?? text;

export class Card {
  constructor(panel) {
    const { id, title, wide } = panel;
    this.panel = panel;
    this.definitions = new Map();
    this.age = element("p", { class: "age" });
    this.meaning = element("p", { class: "meaning" });
    this.body = element("div", { class: "body", "aria-busy": "true" });
    this.data = this.drawer("data", "Table", () => this.tables());
    this.words = this.drawer("words", "Meaning", () => this.explanations());
    this.sql = this.drawer("sql", "SQL", () => this.statements());
    this.node = element(
      "section",
      { class: wide ? "card wide" : "card", id, "aria-labelledby": `${id}-title` },
      element("header", {}, element("h2", { id: `${id}-title` }, title), this.age),
      this.meaning, this.body,
      element("footer", {}, this.data, this.words, this.sql));
  }

  // A <details> that is filled when it is opened: hundreds of rows that nobody looks at cost
  // nothing.
  drawer(kind, label, fill) {
    const content = element("div");
    const drawer = element("details", { class: kind }, element("summary", {}, label), content);
    drawer.refill = () => content.replaceChildren(...(drawer.open ? fill() : []).filter(Boolean));
    drawer.addEventListener("toggle", drawer.refill);
    return drawer;
  }

  explain(definitions) {
    this.definitions = definitions;
    this.mean();
    this.words.refill();
    this.sql.refill();
  }

  mean(view = this.panel.views[0]) {
    this.meaning.textContent = firstSentence(commentOf(this.definitions.get(view)).meaning);
  }

  async load(rows, filter) {
    this.busy();
    try {
      this.present(this.panel.show(await this.panel.read(rows, filter), filter), filter);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fail(error, () => this.load(rows, filter).catch(() => {}));
      throw error;
    }
  }

  busy() {
    this.body.setAttribute("aria-busy", "true");
    if (!this.body.hasChildNodes()) {
      this.body.append(element("p", { class: "loading" }, "Reading …"));
    }
  }

  fill(...children) {
    forget(this.body);
    this.body.replaceChildren(...children);
    this.body.setAttribute("aria-busy", "false");
  }

  present(shown, filter) {
    this.shown = shown;
    this.updated = shown.updated;
    this.mean(shown.view);
    this.tellAge();
    const note = filter.profile && !this.panel.follows?.includes("profile")
      ? element("p", { class: "note" }, "Of all profiles: these figures are not kept by profile.")
      : null;
    if (shown.empty) {
      const { what, todo } = shown.empty;
      this.fill(element("div", { class: "nothing" },
        element("p", { class: "what" }, prose(what)), element("p", {}, prose(todo))));
    } else {
      this.fill(...[note, ...shown.body].filter(Boolean));
      for (const canvas of this.body.querySelectorAll("canvas")) {
        draw(canvas, configurations.get(canvas), theme());
      }
    }
    this.data.hidden = !shown.tables?.length;
    this.data.refill();
  }

  fail(error, again) {
    this.shown = {};
    this.updated = undefined;
    this.tellAge();
    this.data.hidden = true;
    this.fill(element("div", { class: "failed", role: "alert" },
      element("p", { class: "what" }, error.status === 0
        ? "The server does not answer." : `This could not be read: ${error.message}`),
      element("p", {}, error.hint ?? "Try again in a few seconds."),
      element("button", { type: "button", class: "button", onclick: again }, "Try again")));
  }

  // Figures that a job stored have a time; of others the panel says how old they are.
  tellAge() {
    const { updated } = this;
    if (updated === undefined || updated === null) {
      this.age.replaceChildren();
      return;
    }
    if (updated.says) {
      this.age.replaceChildren(updated.says);
      return;
    }
    const isOld = Date.now() - new Date(updated).getTime() > STALE;
    this.age.replaceChildren(
      isOld ? "⚠ old: as of " : "as of ",
      element("time", { datetime: updated }, format.time(updated)),
      `, ${format.age(updated)}`);
    this.age.classList.toggle("old", isOld);
  }

  tables() {
    return (this.shown?.tables ?? []).map((one) =>
      scrolling(one.caption, table(one)));
  }

  explanations() {
    return this.panel.views.flatMap((name) => {
      const { meaning, example } = commentOf(this.definitions.get(name));
      return [
        element("h3", {}, `analytics.${name}`),
        element("p", { class: "comment" }, meaning),
        example && element("p", { class: "comment" }, "For example:"),
        example && scrolling(`Example of analytics.${name}`,
          element("pre", {}, element("code", {}, example))),
      ];
    });
  }

  statements() {
    return this.panel.views.flatMap((name) => {
      const { definition } = this.definitions.get(name) ?? {};
      if (!definition) return [element("p", {}, `analytics.${name} is not there.`)];
      const text = definition.trim();
      return [
        element("h3", {}, `analytics.${name}`),
        // Only pages that nobody on the way could have changed may write to the clipboard.
        navigator.clipboard && element("button", {
          type: "button",
          class: "button copy",
          onclick: async ({ target }) => {
            await navigator.clipboard.writeText(text);
            target.textContent = "Copied";
          },
        }, "Copy"),
        scrolling(`SQL of analytics.${name}`,
          element("pre", {}, element("code", { "data-view": name }, text))),
      ];
    });
  }
}
