// Values of all passes at a place or in a box: read, drawn, listed, and to take away.

import { drawChart } from "./chart.js";
import { $, ask, busy, classesOf, degrees, layerOf, state, store } from "./state.js";

let series = [], asked = 0;

const cell = (row, name, content) => {
  const element = document.createElement(name);
  element.append(content);
  row.append(element);
  return element;
};

function question() {
  const [names, values] = state.box ? [["west", "south", "east", "north"], state.box] : [["lon", "lat"], state.at];
  return names.map((name, i) => `${name}=${values[i].toFixed(6)}`).join("&");
}

export async function read(describe, choose) {
  const mine = ++asked, query = question();
  $("panel").hidden = false;
  delete $("panel").dataset.ready;
  $("place").textContent = state.box
    ? `${degrees(state.box[0], state.box[1], 3)} to ${degrees(state.box[2], state.box[3], 3)}`
    : degrees(...state.at);
  $("of").textContent = "longitude, latitude" + (state.box ? "; means of the box" : "; means of 5 × 5 pixels");
  for (const kind of ["csv", "png"]) $(kind).href = `api/series.${kind}?${query}`;
  $("reading").textContent = "reading …";
  $("plot").replaceChildren();
  series = [];
  busy("series", 1);
  try {
    const found = await ask(`api/series?${query}`);
    if (mine !== asked) return;  // another click came meanwhile
    series = found;
    draw(describe, choose);
  } catch (error) {
    if (mine === asked) $("reading").textContent = error.message;
  } finally {
    if (mine === asked) { busy("series", 0); $("panel").dataset.ready = "yes"; }
  }
}

export function draw(describe, choose) {
  if ($("panel").hidden || !(state.at || state.box)) return;
  drawChart(series, describe, choose);
  const table = document.createElement("table");
  const keys = part => [...new Set(series.flatMap(reading => Object.keys(reading[part])))];
  const names = keys("db"), plain = keys("values"), masks = keys("classes");
  const head = table.createTHead().insertRow();
  const units = plain.map(name => [name, layerOf(name).unit].filter(part => part).join(" "));
  const counted = series.some(reading => reading.pixels);
  for (const name of ["pass", ...names.map(name => `${name} dB`), ...units, ...masks, ...(counted ? ["pixels"] : []), "item"]) cell(head, "th", name);
  const body = table.createTBody();
  for (const reading of series) {
    const row = body.insertRow();
    if (reading.pass === state.pass) row.className = "now";
    cell(row, "td", [store.passes[reading.pass].time, store.passes[reading.pass].second].filter(part => part).map(part => part.slice(0, 10)).join(" → "));
    for (const name of names) cell(row, "td", reading.db[name]?.toFixed(1) ?? "–");
    for (const name of plain) cell(row, "td", reading.values[name] ?? "–");
    for (const name of masks) cell(row, "td", String(classesOf(layerOf(name))[reading.classes[name]] ?? reading.classes[name] ?? "–").replaceAll("_", " "));
    if (counted) cell(row, "td", reading.pixels ?? "–");
    const link = document.createElement("a");
    link.href = `item/${encodeURIComponent(reading.item)}`; link.target = "_blank"; link.textContent = "JSON"; link.title = reading.item;
    cell(row, "td", link);
  }
  $("reading").replaceChildren(series.length ? table : "no pass saw this place");
}

export function close() {
  asked++;
  busy("series", 0);
  $("panel").hidden = true;
  state.at = null;
  state.box = null;
}
