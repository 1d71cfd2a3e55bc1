// What stands in place of the figures for somebody who may not read them: why, and what to do.

import { session } from "../session.js";
import { element, prose } from "./dom.js";

// The server decides; what the token says of itself only words the refusal.
function reason(error) {
  if (error === null) {
    return ["Nobody is signed in", "These figures are for analysts. Sign in with a token whose "
      + "role is feed_analyst: your marketplace's sign-in gives you one, or whoever runs the "
      + "service."];
  }
  if (error.status === 401) {
    return session.expiresAt() <= new Date()
      ? ["Your token has expired", "Sign in again to go on where you were."]
      : ["This token is not accepted", "It may be damaged, or of another service. Sign in again."];
  }
  if (error.status === 403) {
    return ["This token is not an analyst's", `Its role is ${session.role()}. These figures need `
      + "the role feed_analyst, which reads counts and no person's data."];
  }
  if (error.status === 0) {
    return ["The server does not answer", "Look at the connection, then try again."];
  }
  return ["The figures cannot be read", [error.message, error.hint].filter(Boolean).join(" ")];
}

function signInForm() {
  return element("form", {
    class: "sign-in",
    onsubmit: (event) => {
      event.preventDefault();
      session.signIn(event.target.elements.token.value.trim());
    },
  },
  element("label", { class: "field" }, "An analyst's token",
    element("input", {
      name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    })),
  element("p", { class: "hint" }, prose("It stays in this window. On the server's own machine, "
    + "`make token ROLE=feed_analyst` prints one.")),
  element("button", { class: "button primary" }, "Sign in"));
}

// The marketplace's own page, where there is one: <meta name="sign-in"> in index.html.
function signInLink() {
  const place = document.querySelector('meta[name="sign-in"]')?.content;
  return place && element("p", {},
    element("a", { class: "button primary", href: place }, "Sign in"));
}

export function gate(error, again) {
  const [title, text] = reason(error);
  const isAboutTheToken = error === null || [401, 403].includes(error.status);
  return [
    element("h2", {}, title),
    element("p", {}, text),
    isAboutTheToken ? signInLink() ?? signInForm()
      : element("button", { class: "button primary", type: "button", onclick: again }, "Try again"),
  ];
}
