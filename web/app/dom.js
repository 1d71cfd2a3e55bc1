// Elements from code. What listings say goes in as text nodes only, so that no listing, however
// hostile, can become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: attributes by name, `on` with listeners, `properties` for what is no attribute;
 * children are elements or text, and null, undefined and false are left out.
 */
export function el(tag, { on = {}, properties = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  Object.assign(element, properties);
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Text for screen readers only. */
export const unseen = (text) => el("span", { class: "visually-hidden" }, text);

const PATHS = {
  feed: "M4 6h16M4 12h10M4 18h7",
  trending: "M3 17l6-6 4 4 8-8M15 7h6v6",
  saved: "M6 4h12v16l-6-4.5L6 20z",
  applied: "M4 12.5l5 5L20 6.5",
  preferences: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  share: "M12 15V4M8 8l4-4 4 4M5 13v6h14v-6",
  close: "M6 6l12 12M18 6L6 18",
  pin: "M12 21s7-6.2 7-11a7 7 0 1 0-14 0c0 4.8 7 11 7 11zM12 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  pay: "M3 7h18v10H3zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.5V12l3 2",
  star: "M12 4l2.5 5.2 5.5.7-4 3.9 1 5.7-5-2.8-5 2.8 1-5.7-4-3.9 5.5-.7z",
  why: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.5M12 7.5v.5",
  refresh: "M20 12a8 8 0 1 1-2.5-5.8M20 4v4.5h-4.5",
  out: "M14 5h5v5M19 5l-8 8M17 14v5H5V7h5",
};

/** A line drawing of 24 by 24, in the colour of the text, silent for screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
