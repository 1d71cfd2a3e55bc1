// Charts by chart.js: time courses, bars, histograms, curves; each a function theme => config, so
// that a chart can be drawn again in other colours.
//
// No legends: a line carries its name at its end, a target is dashed and says what it is. Nothing
// moves: a figure that grows into place is read twice.

import { Chart } from "/vendor/chart.js";

import * as format from "./format.js";

Chart.defaults.animation = false;
Chart.defaults.responsive = true;
Chart.defaults.maintainAspectRatio = false;
Chart.defaults.plugins.legend.display = false;

const HOUR = 3600000;
const DAY = 24 * HOUR;

export const timeOf = (value) => new Date(value).getTime();

// ---------------------------------------------------------------------- axes

const base = (theme) => ({
  grid: { color: theme.line, drawTicks: false },
  border: { display: false },
  ticks: { color: theme.muted, font: theme.font, padding: 6 },
});

const STEPS = [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY];

// Round moments between two, at most so many, the last one always: hours, or midnights.
function moments(from, to, most) {
  const step = STEPS.find((one) => (to - from) / one <= most)
    ?? DAY * Math.ceil((Math.floor(to / DAY) - Math.ceil(from / DAY) + 1) / most);
  const found = [];
  const unit = Math.min(step, DAY);
  for (let value = Math.floor(to / unit) * unit; value >= from; value -= step) {
    found.unshift({ value });
  }
  return found;
}

const momentText = (value) => (value % DAY ? format.clock(value) : format.day(value));

const timeAxis = (theme, from, to) => ({
  ...base(theme),
  type: "linear",
  min: from,
  max: to,
  grid: { display: false },
  afterBuildTicks: (axis) => {
    axis.ticks = moments(from, to, axis.width < 300 ? 4 : 7);
  },
  ticks: {
    ...base(theme).ticks, maxRotation: 0, callback: momentText,
  },
});

const valueAxis = (theme, said, most) => ({
  ...base(theme),
  beginAtZero: true,
  suggestedMax: most,
  ticks: { ...base(theme).ticks, maxTicksLimit: 5, callback: (value) => said(value) },
});

// ---------------------------------------------------------------------- what is written on charts

// On a ground of the card's colour, so that it can be read where it crosses lines and bars.
function write(ctx, text, x, y, { colour, surface, face }) {
  ctx.font = face;
  ctx.lineWidth = 4;
  ctx.lineJoin = "round";
  ctx.setLineDash([]);
  ctx.strokeStyle = surface;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

// The target as a dashed line across the chart, with its name.
const targets = {
  id: "targets",
  afterDatasetsDraw(chart, _, options) {
    const { ctx, chartArea: area, scales } = chart;
    for (const { value, label } of options.lines ?? []) {
      const y = scales.y.getPixelForValue(value);
      if (y < area.top - 1 || y > area.bottom + 1) continue;
      ctx.save();
      ctx.strokeStyle = options.colour;
      ctx.setLineDash([5, 4]);
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      ctx.moveTo(area.left, y);
      ctx.lineTo(area.right, y);
      ctx.stroke();
      ctx.textAlign = "left";
      ctx.textBaseline = y - area.top < 16 ? "top" : "bottom";
      write(ctx, label, area.left + 4, y + (y - area.top < 16 ? 4 : -4), options);
      ctx.restore();
    }
  },
};

// A line's name at its last point, moved apart where two would overlap.
const names = {
  id: "names",
  afterDatasetsDraw(chart, _, options) {
    if (!options.show) return;
    const { ctx, chartArea: area } = chart;
    const ends = chart.data.datasets
      .map((dataset, index) => {
        const points = chart.getDatasetMeta(index).data;
        const last = dataset.data.findLastIndex(({ y }) => y !== null);
        return last < 0 || !dataset.label ? null
          : { text: dataset.label, colour: dataset.borderColor, y: points[last].y };
      })
      .filter(Boolean)
      .sort((a, b) => a.y - b.y);
    const height = 14;
    ends.forEach((end, index) => {
      if (index) end.y = Math.max(end.y, ends[index - 1].y + height);
    });
    const over = ends.length ? ends.at(-1).y - area.bottom : 0;
    if (over > 0) ends.forEach((end) => { end.y -= over; });
    ctx.save();
    ctx.font = options.face;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const { text, colour, y } of ends) {
      ctx.fillStyle = colour;
      ctx.fillText(text, area.right + 6, y);
    }
    ctx.restore();
  },
};

// What a bar stands for, beside it; and a mark where its target is.
const barLabels = {
  id: "barLabels",
  afterDatasetsDraw(chart, _, options) {
    if (!options.texts) return;
    const { ctx, scales } = chart;
    const bars = chart.getDatasetMeta(0).data;
    ctx.save();
    ctx.textBaseline = "middle";
    bars.forEach((bar, index) => {
      const half = bar.height / 2;
      const target = options.targets?.[index];
      if (target !== undefined && target !== null) {
        const x = scales.x.getPixelForValue(target);
        ctx.strokeStyle = options.colour;
        ctx.lineWidth = 2;
        ctx.setLineDash([4, 3]);
        ctx.beginPath();
        ctx.moveTo(x, bar.y - half - 5);
        ctx.lineTo(x, bar.y + half + 5);
        ctx.stroke();
        ctx.setLineDash([]);
      }
      ctx.textAlign = "left";
      write(ctx, options.texts[index],
        (options.isAtEdge ? chart.chartArea.right : bar.x) + 6, bar.y, options);
    });
    ctx.restore();
  },
};

Chart.register(targets, names, barLabels);

const faceOf = (theme) => `${theme.font.size}px ${theme.font.family}`;
const pen = (theme, colour = theme.target) => ({
  colour, surface: theme.surface, face: faceOf(theme),
});

const tooltip = (theme, label, title) => ({
  displayColors: false,
  backgroundColor: theme.surface,
  titleColor: theme.text,
  bodyColor: theme.text,
  borderColor: theme.line,
  borderWidth: 1,
  callbacks: { title, label: ({ dataset, raw }) => label(raw, dataset) },
});

// ---------------------------------------------------------------------- kinds of charts

// A point between gaps is on no line, and only seen as a dot.
const isAlone = (points, index) =>
  (points[index - 1]?.y ?? null) === null && (points[index + 1]?.y ?? null) === null;

// Values over time. series: [{name, colour (a number), points: [{x, y}]}].
export const course = ({
  series, from, to, write: said, target = null, targetText = "", titled = format.day,
  isLastPartial = false,
}) => (theme) => ({
  type: "line",
  data: {
    datasets: series.map(({ name, colour, points }) => ({
      label: name,
      data: points,
      borderColor: theme.series[colour],
      backgroundColor: theme.series[colour],
      borderWidth: 2,
      pointRadius: ({ dataIndex }) => (points.length <= 31 || isAlone(points, dataIndex) ? 2 : 0),
      pointHitRadius: 8,
      spanGaps: false,
      segment: {
        borderDash: ({ p1DataIndex: end }) =>
          (isLastPartial && end === points.length - 1 ? [2, 3] : undefined),
      },
    })),
  },
  options: {
    layout: { padding: { right: series.length > 1 ? 34 : 4, top: 4 } },
    interaction: { mode: "index", intersect: false },
    scales: {
      x: timeAxis(theme, from, to),
      y: valueAxis(theme, said, target === null ? undefined : 1.15 * target),
    },
    plugins: {
      names: { show: series.length > 1, face: faceOf(theme) },
      targets: {
        lines: target === null ? [] : [{ value: target, label: targetText }], ...pen(theme),
      },
      tooltip: tooltip(
        theme,
        ({ y }, { label }) => `${label}: ${said(y)}`,
        ([item]) => titled(item.raw.x)),
    },
  },
});

// Horizontal bars, each with its name on the left and what it says on the right.
export const bars = ({
  labels, values, texts, targets: marks, max, room, colours, isAtEdge = false,
}) =>
  (theme) => ({
    type: "bar",
    data: {
      labels,
      datasets: [{
        data: values,
        backgroundColor: values.map((_, index) => theme.series[colours?.[index] ?? 0]),
        borderRadius: 2,
        maxBarThickness: 22,
        minBarLength: 1,
      }],
    },
    options: {
      indexAxis: "y",
      layout: { padding: { right: room } },
      scales: {
        x: { display: false, min: 0, max },
        y: {
          ...base(theme),
          grid: { display: false },
          // As wide as the names, also where that is more than half of a phone.
          afterFit: (axis) => {
            axis.ctx.font = faceOf(theme);
            axis.width = 20 + Math.max(
              ...labels.flat().map((text) => axis.ctx.measureText(text).width));
          },
          ticks: { ...base(theme).ticks, color: theme.text, autoSkip: false },
        },
      },
      plugins: {
        barLabels: { texts, targets: marks, isAtEdge, ...pen(theme, theme.text) },
        tooltip: { enabled: false },
      },
    },
  });

// Columns over whole numbers, such as positions.
export const columns = ({ points, write: said, target, targetText, titled }) => (theme) => ({
  type: "bar",
  data: {
    labels: points.map(({ x }) => x),
    datasets: [{
      data: points.map(({ y }) => y),
      backgroundColor: theme.series[0],
      borderRadius: 2,
      categoryPercentage: 0.9,
    }],
  },
  options: {
    layout: { padding: { top: 4 } },
    interaction: { mode: "index", intersect: false },
    scales: {
      x: {
        ...base(theme),
        grid: { display: false },
        ticks: { ...base(theme).ticks, maxRotation: 0 },
      },
      y: valueAxis(theme, said, 1.15 * target),
    },
    plugins: {
      targets: { lines: [{ value: target, label: targetText }], ...pen(theme) },
      tooltip: tooltip(
        theme,
        (value) => said(value),
        ([{ dataIndex }]) => titled(points[dataIndex])),
    },
  },
});

// Shares of twenty buckets over [0, 1]. Each has a scale of its own: of a component that is nearly
// always 0, the rest would not be seen otherwise, nor anything of the others beside it.
export const histogram = ({ buckets, colour, write: said }) => (theme) => ({
  type: "bar",
  data: {
    datasets: [{
      data: buckets.map(({ low, high, share }) => ({ x: (low + high) / 2, y: share, low, high })),
      backgroundColor: theme.series[colour],
      barPercentage: 1,
      categoryPercentage: 0.92,
    }],
  },
  options: {
    interaction: { mode: "nearest", axis: "x", intersect: false },
    scales: {
      x: {
        ...base(theme),
        type: "linear",
        min: 0,
        max: 1,
        offset: false,
        grid: { display: false, offset: false },
        ticks: { ...base(theme).ticks, stepSize: 0.5, callback: (value) => `${value}` },
      },
      y: {
        ...valueAxis(theme, said),
        ticks: { ...base(theme).ticks, maxTicksLimit: 4, callback: (value) => said(value) },
      },
    },
    plugins: {
      tooltip: tooltip(theme, ({ y }) => said(y), ([{ raw }]) =>
        `${raw.low.toFixed(2)} to ${raw.high.toFixed(2)}`),
    },
  },
});

// Lorenz curves: what share of something the lower share of subjects have.
export const lorenz = ({ curves, across, up }) => (theme) => ({
  type: "line",
  data: {
    datasets: [
      {
        label: "equal",
        data: [{ x: 0, y: 0 }, { x: 100, y: 1 }],
        borderColor: theme.target,
        backgroundColor: theme.target,
        borderDash: [5, 4],
        borderWidth: 1.5,
        pointRadius: 0,
        pointHitRadius: 0,
      },
      ...curves.map(({ name, colour, points }) => ({
        label: name,
        data: points,
        borderColor: theme.series[colour],
        backgroundColor: theme.series[colour],
        borderWidth: 2,
        pointRadius: 0,
        pointHitRadius: 8,
      })),
    ],
  },
  options: {
    layout: { padding: { right: 8, top: 4 } },
    interaction: { mode: "nearest", axis: "x", intersect: false },
    scales: {
      x: {
        ...base(theme),
        type: "linear",
        min: 0,
        max: 100,
        title: { display: true, text: across, color: theme.muted, font: theme.font },
        ticks: { ...base(theme).ticks, stepSize: 25, callback: (value) => `${value} %` },
      },
      y: {
        ...base(theme),
        min: 0,
        max: 1,
        title: { display: true, text: up, color: theme.muted, font: theme.font },
        ticks: { ...base(theme).ticks, stepSize: 0.25, callback: (value) => `${100 * value} %` },
      },
    },
    plugins: {
      tooltip: tooltip(
        theme,
        ({ y }, { label }) => `${label}: ${format.percent(y)}`,
        ([{ raw }]) => `the lower ${raw.x} %`),
    },
  },
});

const SHAPES = ["circle", "triangle", "rect", "crossRot", "star", "rectRot"];

// Every run as a point: when, and how long as a share of what it may take.
export const runs = ({ jobs, from, to }) => (theme) => ({
  type: "scatter",
  data: {
    datasets: jobs.map(({ name, points }, index) => ({
      label: name,
      data: points,
      borderColor: theme.series[index % theme.series.length],
      backgroundColor: theme.series[index % theme.series.length],
      pointStyle: SHAPES[index % SHAPES.length],
      pointRadius: 3,
      pointHoverRadius: 5,
    })),
  },
  options: {
    layout: { padding: { right: 8, top: 4 } },
    scales: {
      x: timeAxis(theme, from, to),
      y: {
        ...base(theme),
        type: "logarithmic",
        suggestedMax: 2,
        title: { display: true, text: "of the target", color: theme.muted, font: theme.font },
        afterBuildTicks: (axis) => {
          axis.ticks = axis.ticks.filter(({ value }) =>
            Number.isInteger(Math.round(1e6 * Math.log10(value)) / 1e6));
        },
        ticks: {
          ...base(theme).ticks, callback: (value) => `${Number((100 * value).toPrecision(3))} %`,
        },
      },
    },
    plugins: {
      targets: { lines: [{ value: 1, label: "target" }], ...pen(theme) },
      tooltip: tooltip(
        theme,
        ({ y, seconds }, { label }) =>
          `${label}: ${format.duration(seconds)}, ${format.percent(y)} of its target`,
        ([{ raw }]) => format.time(raw.x)),
    },
  },
});

// ---------------------------------------------------------------------- drawn, and drawn again

const drawn = new Map();

export function draw(canvas, configure, theme) {
  drawn.set(canvas, { configure, chart: new Chart(canvas, configure(theme)) });
}

export function redrawAll(theme) {
  for (const [canvas, { configure, chart }] of drawn) {
    chart.destroy();
    draw(canvas, configure, theme);
  }
}

export function forget(container) {
  for (const [canvas, { chart }] of drawn) {
    if (container.contains(canvas)) {
      chart.destroy();
      drawn.delete(canvas);
    }
  }
}
