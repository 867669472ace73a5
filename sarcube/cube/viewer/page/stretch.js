// Which numbers become the first and the last colour: percentiles of the layer, ranges that are usual, or one's own.

import { $, ask, busy, layerOf, say, state } from "./state.js";

const percentiles = {};  // by layer, as the server told them
const PERCENT = { "2": ["2", "98", "2 – 98 %"], "5": ["5", "95", "5 – 95 %"], "1": ["1", "99", "1 – 99 %"] };
const short = (value, layer) => layer?.scale === "db" ? Number(value.toFixed(1)) : Number(value.toPrecision(3));
const unitOf = layer => layer.scale === "db" ? "dB" : layer.scale === "log" ? "log10" : layer.unit;

// [low, high] of a layer now; null of a mask.
export async function range(name) {
  const layer = layerOf(name);
  if (layer.scale === "classes") return null;
  if (state.stretch === "own" && state.ranges[name]) return state.ranges[name];
  const fixed = state.stretch.startsWith("fixed") ? layer.ranges[Number(state.stretch.slice(5))] : null;
  if (fixed) return fixed;
  if (layer.cyclic && layer.ranges.length) return layer.ranges[0];  // a phase has no percentiles
  if (!percentiles[name]) {
    busy("percentiles", 1);
    try { percentiles[name] = await ask(`api/stretch?layer=${encodeURIComponent(name)}`); } finally { busy("percentiles", 0); }
  }
  const [low, high] = PERCENT[state.stretch] ?? PERCENT["2"];
  return [percentiles[name][low], percentiles[name][high]];
}

export function offer(name, ends) {
  const layer = layerOf(name), choice = $("stretch");
  document.querySelectorAll(".stretch").forEach(label => { label.hidden = !ends; });
  if (!ends) return;
  const unit = unitOf(layer);
  const options = layer.cyclic ? [] : Object.entries(PERCENT).map(([key, [, , text]]) => new Option(text, key));
  layer.ranges.forEach(([low, high], i) => options.push(new Option(`${short(low, layer)} to ${short(high, layer)} ${unit}`.trim(), `fixed${i}`)));
  options.push(new Option("own", "own"));
  choice.replaceChildren(...options);
  choice.value = options.some(option => option.value === state.stretch) ? state.stretch : options[0].value;
  $("low").value = short(ends[0], layer);
  $("high").value = short(ends[1], layer);
  $("unit").textContent = unit;
}

export function connectStretch(changed) {
  $("stretch").onchange = () => {
    if ($("stretch").value === "own") state.ranges[state.layer] = [$("low").valueAsNumber, $("high").valueAsNumber];
    state.stretch = $("stretch").value;
    changed();
  };
  for (const key of ["low", "high"]) {
    $(key).onchange = () => {
      const [low, high] = [$("low").valueAsNumber, $("high").valueAsNumber];
      if (!(isFinite(low) && isFinite(high) && low < high)) { say("the stretch goes from low to high"); return; }
      say("");
      state.ranges[state.layer] = [low, high];
      state.stretch = "own";
      changed();
    };
  }
}

export function drawLegend(name, ends) {
  const layer = layerOf(name), { classes, ramp, bands } = layer.legend, box = $("legend");
  const line = (...parts) => { const p = document.createElement("p"); p.append(...parts); box.append(p); return p; };
  const chip = colour => { const span = document.createElement("span"); span.className = "chip"; span.style.background = colour; return span; };
  box.replaceChildren();
  line(layer.title);
  for (const one of classes ?? []) {
    const [r, g, b, a] = one.colour;
    line(chip(`rgba(${r}, ${g}, ${b}, ${a / 255})`), one.name.replaceAll("_", " ")).title = one.text;
  }
  for (const [colour, text] of bands ?? []) line(chip(colour), text);
  if (!ends) return;
  if (ramp) {
    const bar = document.createElement("span"), below = document.createElement("div");
    bar.className = "ramp";
    bar.style.background = `linear-gradient(to right, ${ramp.join(", ")})`;
    below.className = "ends";
    const [low, high] = ends.map(value => layer.scale === "log" ? `10^${short(value)}` : String(short(value, layer)));
    below.append(low, [high, layer.scale === "log" ? layer.unit : unitOf(layer)].join(" ").trim());
    for (const text of [...below.childNodes]) { const span = document.createElement("span"); text.replaceWith(span); span.append(text); }
    box.append(bar, below);
  } else line(`${short(ends[0], layer)} to ${short(ends[1], layer)} dB`);
}
