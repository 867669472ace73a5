// The page: a map of one pass of one layer, a slider through the passes, values of a place.

import { connectBox } from "./draw.js";
import { connectKeys } from "./keys.js";
import { Overlay } from "./overlay.js";
import * as panel from "./panel.js";
import { $, ask, busy, degrees, pairOf, readAddress, say, state, store, writeAddress } from "./state.js";
import { connectStretch, drawLegend, offer, range } from "./stretch.js";

let map = null, overlay = null, tiles = null, shows = 0, drawing = null;

function describe(index) {
  const { time, platform, direction, track, items } = store.passes[index];
  return [pairOf(index) || time.replace("T", " ").slice(0, 16), platform, direction, track ? `track ${track}` : "", `${items.length} product${items.length === 1 ? "" : "s"}`].filter(part => part).join(" · ");
}

const choose = index => { state.pass = Math.max(0, Math.min(store.passes.length - 1, index)); show(); };
const read = () => { overlay.drawMark(); panel.read(describe, choose).then(uncover); writeAddress(map); };

// What is read must not lie under the panel that tells of it: it moves to the middle of what the panel leaves free.
function uncover() {
  if ($("panel").hidden || !(state.at || state.box)) return;
  const [lng, lat] = state.at ?? [(state.box[0] + state.box[2]) / 2, (state.box[1] + state.box[3]) / 2];
  const seen = map.getContainer().getBoundingClientRect(), cover = $("panel").getBoundingClientRect();
  const place = map.latLngToContainerPoint([lat, lng]), x = place.x + seen.left, y = place.y + seen.top;
  if (x < cover.left || x > cover.right || y < cover.top || y > cover.bottom) return;
  const beside = cover.left - seen.left, above = cover.top - seen.top, below = seen.bottom - cover.bottom;
  if (beside > 120) map.panBy([place.x - beside / 2, 0], { animate: false });
  else map.panBy([0, above > below ? place.y - above / 2 : place.y - (seen.height - below / 2)], { animate: false });
}

async function show() {
  const mine = ++shows;
  $("time").value = state.pass;
  $("when").textContent = describe(state.pass);
  $("pairs").value = state.pass;
  $("before").disabled = state.pass === 0;
  $("after").disabled = state.pass === store.passes.length - 1;
  $("layer").value = state.layer;
  overlay.drawPoints();
  panel.draw(describe, choose);
  delete map.getContainer().dataset.ready;
  let ends = null;
  try { ends = await range(state.layer); } catch (error) { say(error.message); }
  if (mine !== shows) return;
  offer(state.layer, ends);
  drawLegend(state.layer, ends);
  drawTiles(ends ? `?low=${ends[0]}&high=${ends[1]}` : "");
  writeAddress(map);
}

// Other tiles are shown; the old ones stay until the new ones are there, so that nothing flickers.
function drawTiles(query) {
  const before = tiles, mine = L.tileLayer(`tiles/${state.pass}/${encodeURIComponent(state.layer)}/{z}/{x}/{y}.png${query}`, { maxNativeZoom: 18, maxZoom: 20, className: "passes" });
  let left = 0;
  tiles = mine;
  const count = step => { left = Math.max(0, left + step); if (mine === tiles) busy("tile", left); };
  mine.on("tileloadstart", () => count(1));
  mine.on("tileload tileunload", event => { if (!event.tile.counted) { event.tile.counted = true; count(-1); } });
  mine.on("tileerror", event => {
    if (!event.tile.counted) { event.tile.counted = true; count(-1); }
    fetch(event.tile.src).then(answer => answer.json()).then(told => say(told.error ?? "")).catch(() => {});
  });
  mine.on("loading", () => { delete map.getContainer().dataset.ready; });
  mine.on("load", () => {
    for (const old of before ? [before] : []) old.remove();
    if (mine === tiles) { busy("tile", 0); map.getContainer().dataset.ready = "yes"; }
  });
  mine.addTo(map);
}

function dress() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
  overlay?.draw();
}

function fit() {
  const [west, south, east, north] = store.bounds;
  map.fitBounds([[south, west], [north, east]], { padding: [8, 8], maxZoom: 16, animate: false });
}

function close() {
  panel.close();
  overlay.drawMark();
  writeAddress(map);
}

function connect() {
  const names = store.layers.map(layer => layer.name);
  $("layer").append(...names.map(name => new Option(name.replaceAll("_", " "), name)));
  const layer = step => { state.layer = names[(names.indexOf(state.layer) + step + names.length) % names.length]; show(); };
  const places = () => { state.places = $("places").checked; overlay.drawPlaces(); writeAddress(map); };
  $("layer").onchange = () => { state.layer = $("layer").value; show(); };
  connectStretch(show);
  $("places").checked = state.places;
  $("places").onchange = places;
  const pairs = store.passes.map((_, index) => index).filter(pairOf);
  $("pairs").append(...pairs.map(index => new Option(pairOf(index), index)));
  $("pairs").hidden = !pairs.length;
  $("pairs").onchange = () => choose(Number($("pairs").value));
  $("time").max = store.passes.length - 1;
  $("time").oninput = () => choose(Number($("time").value));
  $("before").onclick = () => choose(state.pass - 1);
  $("after").onclick = () => choose(state.pass + 1);
  $("in").onclick = () => map.zoomIn();
  $("out").onclick = () => map.zoomOut();
  $("all").onclick = fit;
  $("close").onclick = close;
  $("help").onclick = () => $("keys").showModal();
  $("theme").onclick = () => { state.theme = document.documentElement.classList.contains("dark") ? "light" : "dark"; dress(); writeAddress(map); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
  drawing = connectBox(map, box => { state.at = null; state.box = box; read(); });
  const last = store.passes.length - 1;
  const before = () => choose(state.pass - 1), after = () => choose(state.pass + 1);
  const zoom = step => map.setZoom(map.getZoom() + step, { animate: false });  // a second press is not lost
  connectKeys(map, {
    aim: () => { $("cross").hidden = false; },
    escape: () => { if (drawing.active()) drawing.cancel(); else if (!$("panel").hidden) close(); $("cross").hidden = true; },
    keys: {
      ",": before, PageUp: before, ".": after, PageDown: after, Home: () => choose(0), End: () => choose(last),
      "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1), "0": fit,
      Enter: () => { const { lat, lng } = map.getCenter().wrap(); state.box = null; state.at = [lng, lat]; $("cross").hidden = true; read(); },
      b: () => drawing.toggle(), l: () => layer(1), L: () => layer(-1), "?": () => $("keys").showModal(),
      p: () => { $("places").checked = !$("places").checked; places(); },
    },
  });
}

async function start() {
  const { view, range: own } = readAddress();
  dress();
  busy("store", 1);
  Object.assign(store, await ask("api/store"));
  busy("store", 0);
  document.title = `${store.title} · sarcube`;
  $("title").textContent = $("title").title = store.title;
  state.pass = Math.max(0, Math.min(store.passes.length - 1, state.pass));
  if (!store.layers.some(layer => layer.name === state.layer)) state.layer = store.layers[0].name;
  if (own && own[0] < own[1]) { state.ranges[state.layer] = own; state.stretch = "own"; }
  map = L.map("map", { zoomControl: false, attributionControl: false, keyboard: false, fadeAnimation: false, minZoom: 1, maxZoom: 20 });
  if (store.basemap.address) {
    L.control.attribution({ prefix: false }).addTo(map);
    L.tileLayer(store.basemap.address, { maxNativeZoom: 18, maxZoom: 20, className: "basemap", attribution: store.basemap.attribution.replace(/[<>&]/g, "") }).addTo(map);
  }
  if (view) map.setView([view[2], view[1]], view[0]); else fit();
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  overlay = new Overlay(map);
  map.on("zoomstart", () => { delete map.getContainer().dataset.ready; });
  map.on("moveend", () => writeAddress(map));
  map.on("mousemove", ({ latlng }) => { $("where").textContent = degrees(latlng.lng, latlng.lat); });
  map.on("click", ({ latlng }) => {
    const { lat, lng } = latlng.wrap();
    if (Math.abs(lat) > 90) return;
    state.box = null;
    state.at = [lng, lat];
    $("cross").hidden = true;
    read();
  });
  window.viewer = { map, state, store, overlay };  // for whoever tries something out in the console
  connect();
  overlay.draw();
  show();
  if (state.at || state.box) read();
  ask("api/points").then(found => { overlay.points = found; overlay.drawPoints(); }).catch(error => say(error.message));
}

start().catch(error => { busy("store", 0); say(error.message); });
