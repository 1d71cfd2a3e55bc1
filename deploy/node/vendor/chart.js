// Chart.js with every kind of chart, as one module: /vendor/chart.js.

export * from "chart.js";
export { default } from "chart.js/auto";
