// Elements without innerHTML: what comes from the database is text, whatever it holds.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Text in which `this` is something to type.
export const prose = (text) => text.split("`")
  .map((part, index) => (index % 2 ? element("code", {}, part) : part));

const SVG = "http://www.w3.org/2000/svg";

export function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A table whose columns are {label, numeric, prose} and whose cells are text or elements; the first
// column names the row.
export function table({ caption, columns, rows, captionHidden = false, className = "" }) {
  const kind = ({ numeric, prose }) => (numeric ? "number" : prose ? "prose" : null);
  return element("table", { class: className },
    element("caption", { class: captionHidden ? "visually-hidden" : null }, caption),
    element("thead", {}, element("tr", {},
      columns.map((column) => element("th", { scope: "col", class: kind(column) }, column.label)))),
    element("tbody", {}, rows.map((cells) => element("tr", {},
      cells.map((cell, index) => (index === 0
        ? element("th", { scope: "row", class: kind(columns[0]) }, cell)
        : element("td", { class: kind(columns[index]) }, cell)))))));
}

// Something wide in a narrow place: scrolled by whoever has no mouse, too.
export function scrolling(label, content) {
  return element("div", { class: "scrolling", tabindex: "0", role: "region", "aria-label": label },
    content);
}
