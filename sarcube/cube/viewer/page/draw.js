// A box drawn with a pointer: mouse, pen or finger.

import { $ } from "./state.js";

export function connectBox(map, drawn) {
  const element = map.getContainer();
  let from = null, shape = null;
  const on = () => $("box").getAttribute("aria-pressed") === "true";
  const at = event => map.mouseEventToLatLng(event);

  function set(active) {
    $("box").setAttribute("aria-pressed", String(active));
    if (active) map.dragging.disable(); else map.dragging.enable();
    element.style.touchAction = active ? "none" : "";
    if (!active && shape) { shape.remove(); shape = null; }
    from = null;
  }

  element.addEventListener("pointerdown", event => {
    if (!on() || event.button) return;
    from = at(event);
    element.setPointerCapture(event.pointerId);
    event.stopPropagation();
  }, true);
  element.addEventListener("pointermove", event => {
    if (!from) return;
    const bounds = L.latLngBounds(from, at(event));
    if (shape) shape.setBounds(bounds); else shape = L.rectangle(bounds, { pane: "marks", weight: 1.5, fillOpacity: .1, interactive: false }).addTo(map);
  }, true);
  element.addEventListener("pointerup", event => {
    if (!from) return;
    const to = at(event), [south, north] = [from.lat, to.lat].sort((a, b) => a - b), [west, east] = [from.lng, to.lng].sort((a, b) => a - b);
    const large = Math.abs(map.latLngToContainerPoint(from).distanceTo(map.latLngToContainerPoint(to))) > 5;
    // The click that follows would read a place.
    element.addEventListener("click", click => click.stopPropagation(), { capture: true, once: true });
    set(false);
    if (large) drawn([west, south, east, north]);
  }, true);
  $("box").onclick = () => set(!on());
  return { toggle: () => set(!on()), cancel: () => set(false), active: on };
}
