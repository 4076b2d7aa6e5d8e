"use strict";
// Draws the charts of this page from the data in it; asks nobody for anything.
(() => {
  const LIGHT = {
    ink: "#1b1f23", grey: "#8a8f98", line: "#d0d7de", paper: "#ffffff",
    blue: "#0072B2", orange: "#D55E00", green: "#007A5A", purple: "#A3497F",
    blue50: "rgba(0,114,178,0.35)", blue80: "rgba(0,114,178,0.25)", blue95: "rgba(0,114,178,0.15)", orange50: "rgba(213,94,0,0.35)",
  };
  const DARK = {
    ink: "#e6edf3", grey: "#8b949e", line: "#3a424c", paper: "#14181d",
    blue: "#56B4E9", orange: "#E69F00", green: "#2FC79A", purple: "#E08DBB",
    blue50: "rgba(86,180,233,0.40)", blue80: "rgba(86,180,233,0.30)", blue95: "rgba(86,180,233,0.18)", orange50: "rgba(230,159,0,0.40)",
  };
  // Named one by one: a button that would send the chart somewhere is not among them.
  const BUTTONS = [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]];
  const CONFIG = { responsive: true, displaylogo: false, modeBarButtons: BUTTONS };
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function painted(value, theme) {
    if (typeof value === "string") return value.startsWith("@") ? theme[value.slice(1)] : value;
    if (Array.isArray(value)) return value.map((each) => painted(each, theme));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, painted(each, theme)]));
  }

  function layoutOf(chart, theme) {
    const axis = { gridcolor: theme.line, linecolor: theme.line, zeroline: false, automargin: true };
    const axes = { xaxis: {}, yaxis: {} };
    for (const name of Object.keys(chart.layout)) if (/^[xy]axis/.test(name)) axes[name] = chart.layout[name];
    for (const name of Object.keys(axes)) axes[name] = { ...axis, ...axes[name] };
    return {
      hovermode: "x unified", font: { color: theme.ink, size: 13 }, paper_bgcolor: theme.paper, plot_bgcolor: theme.paper,
      hoverlabel: { bgcolor: theme.paper, font: { color: theme.ink }, namelength: -1 },
      margin: { l: 8, r: 12, t: 30, b: 8 }, legend: { orientation: "h", y: -0.25 }, ...painted(chart.layout, theme), ...axes,
    };
  }

  function draw(theme) {
    for (const [id, chart] of Object.entries(charts)) Plotly.react(id, painted(chart.data, theme), layoutOf(chart, theme), CONFIG);
  }

  // From the keyboard what the mouse does by dragging: the last points fill the chart, up and down too.
  function zoom(id, last) {
    if (!last) return Plotly.relayout(id, { "xaxis.autorange": true, "yaxis.autorange": true });
    const { data } = charts[id], x = data[0].x, from = Math.max(0, x.length - last);
    const values = data.flatMap((trace) => trace.y.slice(from)).filter(Number.isFinite);
    const low = Math.min(...values), high = Math.max(...values), pad = 0.05 * (high - low || 1);
    return Plotly.relayout(id, { "xaxis.range": [x[from], x[x.length - 1]], "yaxis.range": [low - pad, high + pad] });
  }

  for (const button of document.querySelectorAll("button[data-chart]"))
    button.addEventListener("click", () => zoom(button.dataset.chart, Number(button.dataset.last)));
  dark.addEventListener("change", () => draw(dark.matches ? DARK : LIGHT));
  window.addEventListener("beforeprint", () => draw(LIGHT));
  window.addEventListener("afterprint", () => draw(dark.matches ? DARK : LIGHT));
  draw(dark.matches ? DARK : LIGHT);
})();
