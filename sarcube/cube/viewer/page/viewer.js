"use strict";
// The page: what is shown is all in `state`, which the address carries, so that a view can be sent to someone.

const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const state = { pass: 0, layer: "", low: -20, high: 0, places: true, at: null, theme: "" };
let store = null, map = null, series = [], points = [];

const svg = (parent, name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};
const cell = (row, name, content) => {
  const element = document.createElement(name);
  element.append(content);
  row.append(element);
  return element;
};
const say = text => { $("message").textContent = text; };

async function ask(address) {
  const answer = await fetch(address);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of ["pass", "low", "high"]) if (given.has(key) && isFinite(given.get(key))) state[key] = Number(given.get(key));
  for (const key of ["layer", "theme"]) if (given.has(key)) state[key] = given.get(key);
  if (given.has("places")) state.places = given.get("places") !== "0";
  if (given.has("at")) state.at = given.get("at").split(",").map(Number);
  return given.get("map")?.split("/").map(Number);
}

function writeAddress() {
  const [lon, lat] = map.place(map.width / 2, map.height / 2);
  const parts = [`pass=${state.pass}`, `layer=${state.layer}`, `low=${state.low}`, `high=${state.high}`, `map=${map.zoom}/${lat.toFixed(5)}/${lon.toFixed(5)}`];
  if (!state.places) parts.push("places=0");
  if (state.at) parts.push(`at=${state.at.map(v => v.toFixed(5)).join(",")}`);
  if (state.theme) parts.push(`theme=${state.theme}`);
  history.replaceState(null, "", "#" + parts.join("&"));
}

function describePass(index) {
  const { time, platform, direction, track, items } = store.passes[index];
  return [time.replace("T", " ").slice(0, 16), platform, direction, track ? `track ${track}` : "", `${items.length} product${items.length === 1 ? "" : "s"}`].filter(part => part).join(" · ");
}

const layerOf = name => store.layers.find(layer => layer.name === name) ?? { name, unit: "", decibels: false, classes: {} };

function show() {
  const decibels = layerOf(state.layer).decibels;
  document.querySelectorAll(".stretch").forEach(label => { label.style.visibility = decibels ? "visible" : "hidden"; });
  $("time").value = state.pass;
  $("when").textContent = describePass(state.pass);
  $("before").disabled = state.pass === 0;
  $("after").disabled = state.pass === store.passes.length - 1;
  map.refresh();
  drawSeries();
}

function choosePass(index) {
  state.pass = Math.max(0, Math.min(store.passes.length - 1, index));
  show();
}

function net(overlay) {
  const [west, north] = [toLon(map.x - map.width / 2 / map.scale), toLat(map.y - map.height / 2 / map.scale)];
  const [east, south] = [toLon(map.x + map.width / 2 / map.scale), toLat(map.y + map.height / 2 / map.scale)];
  const raw = (east - west) / 6, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * power).find(m => m >= raw);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  for (let i = Math.ceil(west / step); i * step < east; i++) {
    const [x] = map.at(i * step, 0, false);
    svg(overlay, "path", { class: "net", d: `M${x} 0V${map.height}` });
    svg(overlay, "text", { x: x + 3, y: 12 }, `${(((i * step + 180) % 360 + 360) % 360 - 180).toFixed(digits)}°`);
  }
  for (let i = Math.ceil(south / step); i * step < north; i++) {
    const [, y] = map.at(0, i * step);
    svg(overlay, "path", { class: "net", d: `M0 ${y}H${map.width}` });
    svg(overlay, "text", { x: 48, y: y - 3 }, `${(i * step).toFixed(digits)}°`);
  }
}

function drawOverlay() {
  const overlay = map.overlay;
  overlay.replaceChildren();
  net(overlay);
  if (state.places) {
    for (const place of store.places) {
      const [x0] = map.at(...place.ring[0]), [raw] = map.at(...place.ring[0], false);
      const points = place.ring.map(([lon, lat]) => { const [x, y] = map.at(lon, lat, false); return [x - raw + x0, y]; });
      svg(overlay, "path", { class: "place", d: `M${points.map(p => p.map(v => v.toFixed(1)).join(" ")).join("L")}Z` });
      const xs = points.map(p => p[0]), ys = points.map(p => p[1]);
      const wide = Math.max(...xs) - Math.min(...xs);
      if (wide > 110) svg(overlay, "text", { class: "name", x: (Math.max(...xs) + Math.min(...xs)) / 2, y: (Math.max(...ys) + Math.min(...ys)) / 2 }, place.id);
    }
  }
  for (const point of points) {  // the area of a mark is that of the fire's power
    if (point.pass !== state.pass) continue;
    const [x, y] = map.at(point.lon, point.lat);
    const mark = svg(overlay, "circle", { class: "hotspot", cx: x.toFixed(1), cy: y.toFixed(1), r: (2.5 + Math.sqrt(point.frp ?? 0) / 4).toFixed(1) });
    svg(mark, "title", {}, point.frp === null ? "hotspot" : `${point.frp} MW`);
  }
  if (state.at) {
    const [x, y] = map.at(...state.at);
    svg(overlay, "path", { class: "mark", d: `M${x - 9} ${y}H${x - 3}M${x + 3} ${y}H${x + 9}M${x} ${y - 9}V${y - 3}M${x} ${y + 3}V${y + 9}` });
  }
}

async function choosePlace(lon, lat) {
  state.at = [lon, lat];
  $("panel").hidden = false;
  $("place").textContent = `${lat.toFixed(4)}°, ${lon.toFixed(4)}°`;
  $("reading").textContent = "reading …";
  $("plot").replaceChildren();
  map.draw();
  try {
    const found = await ask(`api/series?lon=${lon}&lat=${lat}`);
    if (state.at[0] !== lon || state.at[1] !== lat) return;  // another click came meanwhile
    series = found;
    drawSeries();
  } catch (error) { $("reading").textContent = error.message; }
  $("panel").dataset.ready = "yes";
}

function drawSeries() {
  if (!state.at || $("panel").hidden) return;
  drawPlot();
  const table = document.createElement("table");
  const keys = part => [...new Set(series.flatMap(reading => Object.keys(reading[part])))];
  const names = keys("db"), plain = keys("values"), masks = keys("classes");
  const head = table.createTHead().insertRow();
  const units = plain.map(name => [name, layerOf(name).unit].filter(part => part && part !== "1").join(" "));
  for (const name of ["pass", ...names.map(name => `${name} dB`), ...units, ...masks, "item"]) cell(head, "th", name);
  const body = table.createTBody();
  for (const reading of series) {
    const row = body.insertRow();
    if (reading.pass === state.pass) row.className = "now";
    cell(row, "td", store.passes[reading.pass].time.slice(0, 10));
    for (const name of names) cell(row, "td", reading.db[name]?.toFixed(1) ?? "–");
    for (const name of plain) cell(row, "td", reading.values[name] ?? "–");
    for (const name of masks) cell(row, "td", (layerOf(name).classes[reading.classes[name]] ?? reading.classes[name] ?? "–").toString().replaceAll("_", " "));
    const link = document.createElement("a");
    link.href = `item/${encodeURIComponent(reading.item)}`; link.target = "_blank"; link.textContent = "JSON"; link.title = reading.item;
    cell(row, "td", link);
  }
  $("reading").replaceChildren(series.length ? table : "no pass saw this place");
}

function drawPlot() {
  const plot = $("plot"), W = 400, H = 170, L = 34, R = 10, T = 8, B = 20;
  plot.setAttribute("viewBox", `0 0 ${W} ${H}`);
  plot.replaceChildren();
  const part = series.some(reading => Object.keys(reading.db).length) ? "db" : "values";
  const names = [...new Set(series.flatMap(reading => Object.keys(reading[part])))];
  const values = series.flatMap(reading => Object.values(reading[part]));
  if (!values.length) return;
  const when = index => Date.parse(store.passes[index].time + "Z");
  const times = series.map(reading => when(reading.pass));
  const [t0, t1] = [Math.min(...times), Math.max(...times)];
  const [v0, v1] = [Math.floor(Math.min(...values)) - 1, Math.ceil(Math.max(...values)) + 1];
  const x = t => t1 > t0 ? L + (t - t0) / (t1 - t0) * (W - L - R) : (L + W - R) / 2;
  const y = v => H - B - (v - v0) / (v1 - v0) * (H - T - B);
  const step = [1, 2, 5, 10].find(s => (v1 - v0) / s <= 6) ?? 20;
  for (let v = Math.ceil(v0 / step) * step; v <= v1; v += step) {
    svg(plot, "path", { class: "net", d: `M${L} ${y(v)}H${W - R}` });
    svg(plot, "text", { x: L - 4, y: y(v) + 3, "text-anchor": "end" }, v);
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
      dot.addEventListener("click", () => choosePass(reading.pass));
      svg(dot, "title", {}, `${describePass(reading.pass)}: ${name} ${reading[part][name]}${part === "db" ? " dB" : ""}`);
    }
    const label = svg(plot, "text", { x: W - R - 24 * (names.length - i) + 24, y: T + 8, "text-anchor": "end" }, name);
    label.style.fill = colour;
  });
}

function dress() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
}

function connect() {
  $("layer").append(...store.layers.map(({ name }) => new Option(name.replaceAll("_", " "), name)));
  $("layer").value = state.layer;
  $("layer").onchange = () => { state.layer = $("layer").value; show(); };
  for (const key of ["low", "high"]) {
    $(key).value = state[key];
    $(key).onchange = () => {
      const value = $(key).valueAsNumber, other = key === "low" ? state.high : state.low;
      if (isFinite(value) && (key === "low" ? value < other : value > other)) { state[key] = value; say(""); show(); }
      else { $(key).value = state[key]; say("the stretch goes from low to high"); }
    };
  }
  $("places").checked = state.places;
  $("places").onchange = () => { state.places = $("places").checked; map.draw(); };
  $("time").max = store.passes.length - 1;
  $("time").oninput = () => choosePass(Number($("time").value));
  $("before").onclick = () => choosePass(state.pass - 1);
  $("after").onclick = () => choosePass(state.pass + 1);
  $("in").onclick = () => map.zoomBy(1);
  $("out").onclick = () => map.zoomBy(-1);
  $("all").onclick = () => map.fit(store.bounds);
  $("close").onclick = () => { $("panel").hidden = true; state.at = null; map.draw(); };
  $("theme").onclick = () => { state.theme = document.documentElement.classList.contains("dark") ? "light" : "dark"; dress(); writeAddress(); };
  $("map").addEventListener("keydown", event => {
    const action = { ArrowLeft: () => choosePass(state.pass - 1), ArrowRight: () => choosePass(state.pass + 1), "+": () => map.zoomBy(1), "-": () => map.zoomBy(-1), Escape: () => $("close").click() }[event.key];
    if (action) { event.preventDefault(); action(); }
  });
}

async function start() {
  const view = readAddress();
  dress();
  store = await ask("api/store");
  document.title = `${store.title} · sarcube`;
  $("title").textContent = store.title;
  state.pass = Math.max(0, Math.min(store.passes.length - 1, state.pass));
  if (!store.layers.some(layer => layer.name === state.layer)) state.layer = store.layers[0].name;
  map = new SlippyMap($("map"), (z, x, y) => `tiles/${state.pass}/${state.layer}/${z}/${x}/${y}.png?low=${state.low}&high=${state.high}`);
  map.onDraw = drawOverlay;
  map.onClick = choosePlace;
  map.onMove = here => {
    if (here) { const [lon, lat] = map.place(...here); $("where").textContent = `${lat.toFixed(4)}°, ${lon.toFixed(4)}°`; } else writeAddress();
  };
  connect();
  if (view) map.look(toX(view[2]), toY(view[1]), view[0]); else map.fit(store.bounds);
  show();
  if (state.at) choosePlace(...state.at);
  ask("api/points").then(found => { points = found; map.draw(); }).catch(error => say(error.message));
}

start().catch(error => say(error.message));
