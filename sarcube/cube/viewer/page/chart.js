// Values over time as SVG: lines, dots to click, the pass that is shown.

import { $, state, store } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";
export const svg = (parent, name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};

const nice = raw => { const power = 10 ** Math.floor(Math.log10(raw)); return [1, 2, 5, 10].map(m => m * power).find(m => m >= raw); };

export function drawChart(series, describe, choose) {
  const plot = $("plot"), W = 400, H = 170, L = 40, R = 10, T = 8, B = 20;
  plot.setAttribute("viewBox", `0 0 ${W} ${H}`);
  plot.replaceChildren();
  const part = series.some(reading => Object.keys(reading.db).length) ? "db" : "values";
  const names = [...new Set(series.flatMap(reading => Object.keys(reading[part])))];
  const values = series.flatMap(reading => Object.values(reading[part]));
  plot.style.display = values.length ? "" : "none";
  if (!values.length) return;
  const when = index => Date.parse(store.passes[index].time + "Z");
  const times = series.map(reading => when(reading.pass));
  const [t0, t1] = [Math.min(...times), Math.max(...times)];
  const spread = Math.max(...values) - Math.min(...values) || Math.abs(values[0]) * 0.1 || 1;
  const step = nice(spread / 4);
  const [v0, v1] = [Math.floor(Math.min(...values) / step - 0.2) * step, Math.ceil(Math.max(...values) / step + 0.2) * step];
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const x = t => t1 > t0 ? L + (t - t0) / (t1 - t0) * (W - L - R) : (L + W - R) / 2;
  const y = v => H - B - (v - v0) / (v1 - v0) * (H - T - B);
  for (let v = v0; v <= v1 + step / 2; v += step) {
    svg(plot, "path", { class: "line", d: `M${L} ${y(v)}H${W - R}` });
    svg(plot, "text", { x: L - 4, y: y(v) + 3, "text-anchor": "end" }, v.toFixed(digits));
  }
  svg(plot, "text", { x: L, y: H - 5 }, new Date(t0).toISOString().slice(0, 10));
  if (t1 > t0) svg(plot, "text", { x: W - R, y: H - 5, "text-anchor": "end" }, new Date(t1).toISOString().slice(0, 10));
  const now = when(state.pass);
  if (now >= t0 && now <= t1) svg(plot, "path", { class: "now", d: `M${x(now)} ${T}V${H - B}` });
  names.forEach((name, i) => {
    const colour = ["var(--a)", "var(--b)", "var(--ink)", "var(--soft)"][i % 4];
    const points = series.filter(reading => name in reading[part]);
    const line = svg(plot, "path", { d: `M${points.map(r => `${x(when(r.pass)).toFixed(1)} ${y(r[part][name]).toFixed(1)}`).join("L")}`, fill: "none", "stroke-width": 1.5 });
    line.style.stroke = colour;
    for (const reading of points) {
      const dot = svg(plot, "circle", { cx: x(when(reading.pass)), cy: y(reading[part][name]), r: reading.pass === state.pass ? 5 : 3.5 });
      dot.style.fill = colour;
      dot.addEventListener("click", () => choose(reading.pass));
      svg(dot, "title", {}, `${describe(reading.pass)}: ${name} ${reading[part][name]}${part === "db" ? " dB" : ""}`);
    }
    const label = svg(plot, "text", { x: L + 6 + i * 46, y: T + 8 }, name.length > 8 ? `${name.slice(0, 7)}…` : name);
    label.style.fill = colour;
  });
}
