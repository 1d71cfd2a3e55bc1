// The analysts' dashboard: the filters, who may see it, and the cards.

import { mountDemoPicker } from "../demo.js";
import { session } from "../session.js";
import { Card } from "./card.js";
import { reader } from "./data.js";
import { gate } from "./gate.js";
import components from "./panels/components.js";
import coverage from "./panels/coverage.js";
import experiments from "./panels/experiments.js";
import funnel from "./panels/funnel.js";
import inequality from "./panels/inequality.js";
import jobs from "./panels/jobs.js";
import latency from "./panels/latency.js";
import quality from "./panels/quality.js";
import rates from "./panels/rates.js";
import trending from "./panels/trending.js";
import { period } from "./period.js";
import { redrawAll } from "./plot.js";
import { onThemeChange, theme } from "./theme.js";

const PANELS = [
  rates, trending, funnel, coverage, quality, experiments, components, inequality, latency, jobs,
];
const DAYS = ["7", "30", "90"];

const place = (id) => document.getElementById(id);
const form = place("filters");
const cards = PANELS.map((panel) => new Card(panel));
place("cards").append(...cards.map(({ node }) => node));

// ---------------------------------------------------------------------- filters

// They stand in the address, so that a view of the figures can be sent to somebody.
const asked = new URLSearchParams(location.search);
form.elements.days.value = DAYS.includes(asked.get("days")) ? asked.get("days") : "30";
let profile = asked.get("profile") ?? "";

function filter() {
  return { period: period(Number(form.elements.days.value)), profile };
}

function writeAddress() {
  const query = new URLSearchParams({ days: form.elements.days.value });
  if (profile) query.set("profile", profile);
  history.replaceState(null, "", `?${query}`);
}

function offerProfiles(names) {
  const { profile: select } = form.elements;
  select.replaceChildren(new Option("all", ""), ...names.map((name) => new Option(name, name)));
  if (!names.includes(profile)) profile = "";
  select.value = profile;
}

// ---------------------------------------------------------------------- loading

let loading = new AbortController();

function show(what) {
  place("notice").hidden = true;
  place("gate").hidden = what !== "gate";
  place("cards").hidden = what !== "cards";
  form.hidden = what !== "cards";
}

// Who may not read sees no figures; where only the way to the server fails, those that were read
// stay, and say how old they are.
function refuse(error) {
  const isAboutTheToken = error === null || [401, 403].includes(error.status);
  if (!isAboutTheToken && !place("cards").hidden) {
    place("notice").textContent = `${error.status === 0 ? "The server does not answer."
      : error.message} The figures below are those read before.`;
    place("notice").hidden = false;
    return;
  }
  place("gate").replaceChildren(...gate(error, load));
  show("gate");
}

async function load() {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  const rows = reader(signal);
  if (!session.token()) {
    refuse(null);
    return;
  }
  place("status").textContent = "Reading the figures.";
  try {
    // First what also tells whether this token may read at all.
    const [definitions, profiles] = await Promise.all([
      rows("view_definitions", (query) => query.select("*").order("view_name")),
      rows("component_distribution", (query) => query
        .select("profile_name").eq("component", "score").order("profile_name")
        .order("bucket_low")),
    ]);
    const byName = new Map(definitions.map((one) => [one.view_name, one]));
    for (const card of cards) card.explain(byName);
    offerProfiles([...new Set(profiles.map(({ profile_name: name }) => name))]);
  } catch (error) {
    if (!signal.aborted) refuse(error);
    return;
  }
  show("cards");
  const chosen = filter();
  const outcomes = await Promise.allSettled(cards.map((card) => card.load(rows, chosen)));
  if (signal.aborted) return;
  const failed = outcomes.filter(({ status }) => status === "rejected");
  const refused = failed.find(({ reason }) => [401, 403].includes(reason.status));
  if (refused) refuse(refused.reason);
  place("status").textContent = failed.length
    ? `${failed.length} of ${cards.length} cards could not be read.` : "All figures are read.";
}

// ---------------------------------------------------------------------- what people do

form.addEventListener("change", () => {
  profile = form.elements.profile.value;
  writeAddress();
  load();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
place("sign-out").addEventListener("click", () => session.signOut());
session.onChange(load);
onThemeChange(() => redrawAll(theme()));
setInterval(() => cards.forEach((card) => card.tellAge()), 60000);

mountDemoPicker(place("demo"), ["feed_analyst"]);
load();
