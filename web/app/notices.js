// What is said at the lower edge: that something was done, with a way to undo it, or that it was
// not. Screen readers hear it. An open dialog has a place of its own, since all behind it is out of
// reach.

import { el } from "./dom.js";

const PATIENCE = 8_000;

/** Says something; `action` is {label, act}. A new notice takes the place of the last. */
export function say(text, action = null) {
  let timer;
  const gone = () => {
    clearTimeout(timer);
    notice.remove();
  };
  // Who is about to press the button is given the time.
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (notice.matches(":hover, :focus-within") ? wait() : gone()), PATIENCE);
  };
  const button =
    action &&
    el(
      "button",
      {
        type: "button",
        class: "button plain",
        on: {
          click: () => {
            gone();
            action.act();
          },
        },
      },
      action.label,
    );
  const notice = el("p", { class: "notice" }, el("span", {}, text), button);
  for (const place of document.querySelectorAll(".notices")) place.replaceChildren();
  (document.querySelector("dialog[open] .notices") ?? document.querySelector("body > .notices"))
    .replaceChildren(notice);
  wait();
}
