// What lies over the tiles: meridians and parallels, footprints, points, the place or box that is read.

import { svg } from "./chart.js";
import { state, store, wrapped } from "./state.js";

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Overlay {
  constructor(map) {
    this.map = map;
    this.points = [];
    this.net = svg(map.getContainer(), "svg", { class: "net" });
    map.createPane("places").style.zIndex = 420;
    map.createPane("marks").style.zIndex = 430;
    this.places = L.layerGroup().addTo(map);
    this.dots = L.layerGroup().addTo(map);
    this.mark = L.layerGroup().addTo(map);
    map.on("zoomstart", () => { this.net.style.visibility = "hidden"; });
    map.on("move zoomend resize", () => this.drawNet());
    map.on("zoomend", () => this.drawNames());
  }

  draw() {
    this.drawNet();
    this.drawPlaces();
    this.drawPoints();
    this.drawMark();
  }

  drawNet() {
    const { x: width, y: height } = this.map.getSize(), bounds = this.map.getBounds();
    const [west, south, east, north] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const raw = (east - west) / Math.max(2, width / 160), power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map(m => m * power).find(m => m >= raw), digits = Math.max(0, -Math.floor(Math.log10(step)));
    const at = (lon, lat) => this.map.latLngToContainerPoint([lat, lon]);
    this.net.replaceChildren();
    this.net.style.visibility = "visible";
    for (let i = Math.ceil(west / step); i * step < east; i++) {
      const { x } = at(i * step, (south + north) / 2);
      svg(this.net, "path", { d: `M${x} 0V${height}` });
      svg(this.net, "text", { x: x + 3, y: 12 }, `${wrapped(i * step).toFixed(digits)}°`);
    }
    for (let i = Math.ceil(south / step); i * step < north; i++) {
      const { y } = at((west + east) / 2, i * step);
      svg(this.net, "path", { d: `M0 ${y}H${width}` });
      svg(this.net, "text", { x: width - 4, y: y - 3, "text-anchor": "end" }, `${(i * step).toFixed(digits)}°`);
    }
  }

  drawPlaces() {
    this.places.clearLayers();
    if (!state.places) return;
    for (const place of store.places) {
      const ring = place.ring.map(([lon, lat]) => [lat, lon]);
      const shape = L.polygon(ring, { pane: "places", className: "place", color: colour("--place"), weight: 1.5, fill: false, interactive: false });
      shape.bindTooltip(place.id, { permanent: true, direction: "center", className: "name", opacity: 1 });
      this.places.addLayer(shape);
    }
    this.drawNames();
  }

  drawNames() {  // only where there is room
    for (const shape of this.places.getLayers()) {
      const bounds = shape.getBounds(), at = corner => this.map.latLngToContainerPoint(corner).x;
      if (at(bounds.getNorthEast()) - at(bounds.getSouthWest()) > 110) shape.openTooltip(); else shape.closeTooltip();
    }
  }

  drawPoints() {  // the area of a mark is that of the fire's power
    this.dots.clearLayers();
    for (const point of this.points) {
      if (point.pass !== state.pass) continue;
      const dot = L.circleMarker([point.lat, point.lon], { pane: "marks", className: "hotspot", radius: 2.5 + Math.sqrt(point.frp ?? 0) / 4, color: "#fff", weight: 1, fillColor: "#ff3b00", fillOpacity: .75, bubblingMouseEvents: true });
      dot.bindTooltip(point.frp === null ? "hotspot" : `${point.frp} MW`, { className: "point" });
      this.dots.addLayer(dot);
    }
  }

  drawMark() {
    this.mark.clearLayers();
    const style = { pane: "marks", className: "mark", color: colour("--b"), weight: 2, fill: false, interactive: false };
    const near = lon => lon + 360 * Math.round((this.map.getCenter().lng - lon) / 360);
    if (state.box) {
      const [west, south, east, north] = state.box, turn = near((west + east) / 2) - (west + east) / 2;
      this.mark.addLayer(L.rectangle([[south, west + turn], [north, east + turn]], style));
    } else if (state.at) {
      this.mark.addLayer(L.circleMarker([state.at[1], near(state.at[0])], { ...style, radius: 7 }));
    }
  }
}
