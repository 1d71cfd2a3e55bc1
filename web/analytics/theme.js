// The colours of charts: canvas knows no CSS, so they are read from the page's custom properties,
// again whenever the system goes from light to dark or back.

const names = [
  "text", "muted", "line", "surface", "target",
  "series-1", "series-2", "series-3", "series-4", "series-5", "series-6",
];

export function theme() {
  const style = getComputedStyle(document.body);
  const colours = Object.fromEntries(
    names.map((name) => [name, style.getPropertyValue(`--chart-${name}`).trim()]));
  return {
    ...colours,
    series: [1, 2, 3, 4, 5, 6].map((number) => colours[`series-${number}`]),
    font: { family: style.fontFamily, size: 12 },
  };
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export function onThemeChange(act) {
  dark.addEventListener("change", act);
}
