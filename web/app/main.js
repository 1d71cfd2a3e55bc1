// The page: who is signed in, which list is shown, and what comes and goes around it.

import { mountDemoPicker } from "../demo.js";
import { session } from "../session.js";
import { hideDetails, showDetails } from "./details.js";
import { el } from "./dom.js";
import { makeApplied, makeFeed, makeSaved, makeTrending } from "./lists.js";
import { say } from "./notices.js";
import { Preferences } from "./preferences.js";
import { Visit } from "./visit.js";

const main = document.getElementById("main");
const links = [...document.querySelectorAll("nav a")];
const signOut = document.getElementById("sign-out");
const status = document.getElementById("network");
const signInAddress = document.querySelector('meta[name="sign-in"]')?.content;

let visit;
let views = {};
let preferences = null;
let current = null;
let opened = null;
const scrolled = {};
const wide = matchMedia("(min-width: 62rem)");

const demo = mountDemoPicker(document.getElementById("demo"));

// ------------------------------------------------------------------ who is here

function begin() {
  visit?.close();
  for (const view of Object.values(views)) view.close?.();
  hideDetails();
  const isUser = session.role() === "authenticated" && session.user();
  visit = new Visit(isUser ? session.user() : null, isUser ? session.token() : null, {
    onOpen: open,
    onSignedOut: expire,
  });
  views = { trending: makeTrending(visit) };
  preferences = null;
  if (isUser) {
    preferences = new Preferences(visit, () => views.feed.reload());
    views.feed = makeFeed(visit, { onWiden: () => go("preferences") });
    views.saved = makeSaved(visit);
    views.applied = makeApplied(visit);
    visit.outbox.addEventListener("change", showNetwork);
    visit.outbox.flush();
  } else {
    for (const name of ["feed", "saved", "applied"]) views[name] = makeDoor(name);
  }
  main.replaceChildren(
    el("div", { class: "lists" }, ...Object.values(views).map((view) => view.element)),
    ...(preferences ? [preferences.element] : []),
  );
  document.body.classList.toggle("signed-in", Boolean(isUser));
  current = null;
  for (const name of Object.keys(scrolled)) delete scrolled[name];
  route();
  preferences?.load();
  showSignOut();
  showNetwork();
}

// What stands where a list would be, for who is not signed in.
function makeDoor(name) {
  const wasSignedIn = Boolean(session.token());
  const text = wasSignedIn
    ? "This sign-in is not a user's, or it has expired."
    : "Your feed, and what you saved and applied to, are yours alone.";
  const hint = el("p", { class: "hint" });
  demo.then((isDemo) => {
    hint.textContent = isDemo
      ? "This is a demo: choose whom to act as, at the top."
      : signInAddress
        ? ""
        : "Sign in at the marketplace, then come back to this page.";
  });
  const element = el(
    "section",
    { class: "list", id: `view-${name}`, hidden: true, "aria-labelledby": `${name}-title` },
    el(
      "div",
      { class: "state" },
      el("h2", { id: `${name}-title` }, "You are not signed in"),
      el("p", {}, text),
      signInAddress && el("a", { class: "button primary", href: signInAddress }, "Sign in"),
      hint,
      el("p", {}, el("a", { href: "#trending" }, "See what is trending")),
    ),
  );
  return {
    name,
    title: "Not signed in",
    element,
    show: () => (element.hidden = false),
    hide: () => (element.hidden = true),
  };
}

// The server does not believe the token any more.
function expire() {
  if (!session.token()) return;
  session.signOut();
  say("Your sign-in has expired. Sign in again: nothing you did is lost.");
}

async function showSignOut() {
  signOut.hidden = !session.token() || (await demo);
}

signOut.addEventListener("click", async () => {
  await visit.outbox?.flushSoon();
  session.signOut();
});

// ------------------------------------------------------------------ where we are

function go(name) {
  location.hash = name;
}

function route() {
  const [name, id] = location.hash.slice(1).split("/");
  if (name === "listing" && id) {
    if (!current) show("feed");
    if (opened?.listing_id !== id) openById(id);
    return;
  }
  hideDetails();
  if (name === "preferences" && preferences) {
    // Where there is room they stand beside the lists.
    if (!wide.matches) show("preferences");
    else if (!current) show("feed");
    if (current !== "preferences") preferences.element.querySelector("input")?.focus();
  } else {
    show(name in views ? name : "feed");
  }
}

function show(name) {
  if (name === current) return;
  if (current) scrolled[current] = scrollY;
  current = name;
  document.body.dataset.view = name;
  for (const view of Object.values(views)) if (view.name !== name) view.hide();
  views[name]?.show();
  for (const link of links) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${views[name]?.title ?? "Your preferences"} · pgfeed`;
  scrollTo(0, scrolled[name] ?? 0);
}

addEventListener("hashchange", route);

// ------------------------------------------------------------------ a listing, opened

function open(row) {
  opened = row;
  const came = document.activeElement;
  visit.tracker.open(row);
  history.pushState(null, "", `#listing/${row.listing_id}`);
  showDetails(row, visit, () => {
    opened = null;
    visit.tracker.closed();
    // Closed by its button, not by the way back: the address follows.
    if (location.hash.startsWith("#listing/")) history.back();
    came?.focus?.();
  });
}

// By its address: it may be in no list of this page.
async function openById(id) {
  try {
    const [row] = await visit.api.from("listings", (relation) =>
      relation.select("*").eq("listing_id", id),
    );
    if (row) {
      history.replaceState(null, "", `#${current}`);
      open(row);
    } else {
      say("There is no such listing.");
    }
  } catch (failure) {
    visit.failed(failure);
  }
}

// ------------------------------------------------------------------ network, leaving, coming back

function showNetwork() {
  const waiting = visit.outbox?.size ?? 0;
  const isOffline = !navigator.onLine;
  status.hidden = !isOffline;
  status.textContent = isOffline
    ? `You are offline. ${waiting ? "What you did is kept, and sent" : "What you do is kept, and sent"} when you are back.`
    : "";
}

addEventListener("offline", showNetwork);
addEventListener("online", () => {
  showNetwork();
  visit.outbox?.retryNow();
  for (const view of Object.values(views)) view.retryNow?.();
});

document.addEventListener("visibilitychange", () => {
  visit.tracker.setSeen(!document.hidden);
  if (document.hidden) visit.outbox?.part();
});
// Some browsers leave without a word of visibility.
addEventListener("pagehide", () => {
  visit.tracker.setSeen(false);
  visit.outbox?.part();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) visit.tracker.setSeen(true);
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

// What is on the page is what one may want to like or block.
main.addEventListener("focusin", ({ target }) => {
  if (!target.matches?.("#preferred-tags, #blocked-tags")) return;
  preferences.suggest([...main.querySelectorAll(".cards .tag:not(.rest)")].map((tag) => tag.textContent));
});

session.onChange((token) => {
  // A token that is renewed changes nothing that is seen.
  const isSame = visit.user && visit.user === session.user() && session.role() === "authenticated";
  if (isSame) visit.renew(token);
  else begin();
});
begin();
