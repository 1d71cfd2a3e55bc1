// One listing, opened: everything about it, in a dialog over the list.
//
// Its address is #listing/ID, so that it can be shared, and the way back closes it.

import { actions, facts, picture, tagList, why } from "./card.js";
import { el, icon } from "./dom.js";
import * as format from "./format.js";

const dialog = document.getElementById("details");

/** Fills and opens the dialog; `onClose` is called when it is closed, however. */
export function showDetails(row, visit, onClose) {
  const outside = format.address(row.url);
  dialog.replaceChildren(
    el(
      "article",
      {},
      el(
        "header",
        {},
        el("h2", { id: "details-title" }, row.title),
        el(
          "button",
          {
            type: "button",
            class: "dismiss",
            "aria-label": "Close",
            on: { click: () => dialog.close() },
          },
          icon("close"),
        ),
      ),
      picture(row),
      facts(row, visit.place),
      tagList(row),
      row.description && el("p", { class: "description" }, row.description),
      outside &&
        el(
          "p",
          {},
          el(
            "a",
            {
              href: outside.href,
              target: "_blank",
              rel: "noopener noreferrer nofollow",
              class: "outside",
            },
            icon("out"),
            `Read it in full at ${outside.host}`,
          ),
        ),
      why(row),
    ),
    actions(row, visit),
    el("div", { class: "notices", role: "status" }),
  );
  dialog.onclose = () => {
    dialog.replaceChildren();
    onClose();
  };
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

export function hideDetails() {
  if (dialog.open) dialog.close();
}

// Beside the dialog is outside of it.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
