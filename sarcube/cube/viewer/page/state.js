// What is shown, all of it: the address carries it, so that a view can be sent to someone.
// Longitude comes before latitude, everywhere.

export const state = { pass: 0, layer: "", stretch: "2", ranges: {}, places: true, at: null, box: null, theme: "" };
export const store = { title: "", basemap: {}, layers: [], bounds: [], passes: [], places: [] };

export const $ = id => document.getElementById(id);
export const layerOf = name => store.layers.find(layer => layer.name === name) ?? { name, title: name, unit: "", scale: "linear", ranges: [], legend: {} };
export const wrapped = lon => ((lon + 180) % 360 + 360) % 360 - 180;
export const degrees = (lon, lat, digits = 4) => `${wrapped(lon).toFixed(digits)}°, ${lat.toFixed(digits)}°`;
export const say = text => { $("message").textContent = text; };
export const classesOf = layer => Object.fromEntries((layer.legend.classes ?? []).map(one => [one.value, one.name]));


// Of a pass that is a pair: both dates, the days and metres between them.
export function pairOf(index) {
  const { time, second, days, across, channel } = store.passes[index];
  if (!second) return "";
  return [`${time.slice(0, 10)} → ${second.slice(0, 10)}`, `${days} d`, across === null ? "" : `${across} m`, channel].filter(part => part).join(" · ");
}

const numbers = text => text.split(/[,/]/).map(Number);
const all = (values, count) => values.length === count && values.every(isFinite) ? values : null;

export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (isFinite(given.get("pass") ?? 0)) state.pass = Number(given.get("pass") ?? 0);
  for (const key of ["layer", "theme", "stretch"]) if (given.has(key)) state[key] = given.get(key);
  if (given.has("places")) state.places = given.get("places") !== "0";
  if (given.has("at")) state.at = all(numbers(given.get("at")), 2);
  if (given.has("box")) state.box = all(numbers(given.get("box")), 4);
  const range = given.has("low") && given.has("high") ? all([Number(given.get("low")), Number(given.get("high"))], 2) : null;
  return { view: given.has("map") ? all(numbers(given.get("map")), 3) : null, range };
}

export function writeAddress(map) {
  const { lng, lat } = map.getCenter();
  const parts = [`pass=${state.pass}`, `layer=${encodeURIComponent(state.layer)}`, `stretch=${state.stretch}`];
  const own = state.ranges[state.layer];
  if (state.stretch === "own" && own) parts.push(`low=${own[0]}`, `high=${own[1]}`);
  parts.push(`map=${map.getZoom()}/${wrapped(lng).toFixed(5)}/${lat.toFixed(5)}`);
  if (!state.places) parts.push("places=0");
  if (state.at) parts.push(`at=${state.at.map(v => v.toFixed(5)).join(",")}`);
  if (state.box) parts.push(`box=${state.box.map(v => v.toFixed(5)).join(",")}`);
  if (state.theme) parts.push(`theme=${state.theme}`);
  history.replaceState(null, "", "#" + parts.join("&"));
}

// A sign while something is read: how many things, and of what.
const waiting = new Map();
export function busy(what, number) {
  if (number > 0) waiting.set(what, number); else waiting.delete(what);
  $("busy").hidden = !waiting.size;
  $("busy").textContent = [...waiting].map(([name, count]) => count > 1 ? `reading ${count} ${name}s …` : `reading ${name} …`).join(" ");
}

export async function ask(address) {
  const answer = await fetch(address);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}
