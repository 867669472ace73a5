"use strict";
// A slippy map in Web Mercator: tiles as pictures, everything else drawn over them as SVG.

const TILE = 256, MAX_ZOOM = 17;
const toX = lon => (lon + 180) / 360;
const toY = lat => { const s = Math.sin(Math.max(-85, Math.min(85, lat)) * Math.PI / 180); return 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI); };
const toLon = x => x * 360 - 180;
const toLat = y => Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180 / Math.PI;

class SlippyMap {
  constructor(element, tileUrl) {
    this.element = element;
    this.tileUrl = tileUrl;           // (z, x, y) -> address, or null
    this.x = 0.5; this.y = 0.5; this.zoom = 3;
    this.onDraw = () => {};           // called with the overlay after every move
    this.onClick = () => {};
    this.onMove = () => {};
    this.layers = [];                 // tile layers, the last one is current
    this.overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.overlay.setAttribute("class", "overlay");
    element.prepend(this.overlay);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(element);
  }

  get scale() { return TILE * 2 ** this.zoom; }
  get width() { return this.element.clientWidth; }
  get height() { return this.element.clientHeight; }

  // Degrees to pixels of the element, on the turn of the world that is nearest to the middle.
  at(lon, lat, wrap = true) {
    let x = toX(lon) - this.x;
    if (wrap) x -= Math.round(x);
    return [x * this.scale + this.width / 2, (toY(lat) - this.y) * this.scale + this.height / 2];
  }

  // Pixels of the element to degrees.
  place(px, py) {
    const lon = toLon(this.x + (px - this.width / 2) / this.scale);
    return [((lon + 180) % 360 + 360) % 360 - 180, toLat(this.y + (py - this.height / 2) / this.scale)];
  }

  fit([west, south, east, north], margin = 0.12) {
    const w = toX(east) - toX(west), h = toY(south) - toY(north);
    const fits = Math.min(this.width / w, this.height / h) * (1 - margin) / TILE;
    this.look((toX(west) + toX(east)) / 2, (toY(south) + toY(north)) / 2, Math.floor(Math.log2(fits) + 0.25));
  }

  look(x, y, zoom) {
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, zoom));
    this.x = x; this.y = Math.max(0, Math.min(1, y));
    this.draw();
  }

  zoomBy(step, px = this.width / 2, py = this.height / 2) {
    const zoom = Math.max(1, Math.min(MAX_ZOOM, this.zoom + step));
    const dx = (px - this.width / 2) / this.scale, dy = (py - this.height / 2) / this.scale;
    const shrink = 1 - 2 ** (this.zoom - zoom);
    this.look(this.x + dx * shrink, this.y + dy * shrink, zoom);
  }

  // Show other tiles; the old ones stay until the new ones are there, so that nothing flickers.
  refresh() {
    const layer = document.createElement("div");
    layer.className = "tiles";
    this.element.insertBefore(layer, this.overlay);
    this.layers.push({ layer, tiles: new Map() });
    this.draw();
  }

  draw() {
    if (!this.width) return;
    this.layers.slice(0, -1).forEach(old => this.position(old));
    const current = this.layers.at(-1);
    if (current) this.fill(current);
    this.onDraw(this);
    this.onMove();
  }

  position({ tiles }) {
    // Whole pixels, or seams show between tiles.
    const left = Math.round(this.width / 2 - this.x * this.scale), top = Math.round(this.height / 2 - this.y * this.scale);
    for (const tile of tiles.values()) {
      if (tile.z !== this.zoom) { tile.image.remove(); continue; }
      tile.image.style.transform = `translate(${tile.x * TILE + left}px, ${tile.y * TILE + top}px)`;
    }
  }

  fill(current) {
    const z = this.zoom, n = 2 ** z, seen = new Set();
    const left = this.x * n - this.width / 2 / TILE, top = this.y * n - this.height / 2 / TILE;
    for (let x = Math.floor(left); x < left + this.width / TILE; x++) {
      for (let y = Math.max(0, Math.floor(top)); y < Math.min(n, top + this.height / TILE); y++) {
        const key = `${z}/${x}/${y}`;
        seen.add(key);
        if (!current.tiles.has(key)) this.load(current, key, z, x, y);
      }
    }
    for (const [key, tile] of current.tiles) if (!seen.has(key)) { tile.image.remove(); current.tiles.delete(key); }
    this.position(current);
    this.sweep();
  }

  load(current, key, z, x, y) {
    const n = 2 ** z, url = this.tileUrl(z, ((x % n) + n) % n, y);
    if (!url) return;
    const image = new Image();
    image.alt = ""; image.draggable = false;
    const tile = { image, z, x, y, ready: false };
    const done = () => { tile.ready = true; this.sweep(); };
    image.onload = done;
    image.onerror = () => { image.remove(); done(); };
    image.src = url;
    current.tiles.set(key, tile);
    current.layer.append(image);
  }

  sweep() {
    const current = this.layers.at(-1);
    if (![...current.tiles.values()].every(tile => tile.ready)) return;
    this.layers.splice(0, this.layers.length - 1).forEach(({ layer }) => layer.remove());
    this.element.dataset.ready = "yes";
  }

  listen() {
    const element = this.element, pointers = new Map();
    let moved = 0, spread = 0;
    const ours = event => !event.target.closest("button, aside");
    element.addEventListener("pointerdown", event => {
      if (!ours(event)) return;
      pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      element.setPointerCapture(event.pointerId);
      moved = 0; spread = 0;
    });
    element.addEventListener("pointermove", event => {
      const box = element.getBoundingClientRect(), here = [event.clientX - box.left, event.clientY - box.top];
      this.onMove(here);
      const last = pointers.get(event.pointerId);
      if (!last) return;
      pointers.set(event.pointerId, here);
      if (pointers.size === 1) {
        moved += Math.hypot(here[0] - last[0], here[1] - last[1]);
        if (moved < 3) return;
        element.classList.add("moving");
        this.look(this.x - (here[0] - last[0]) / this.scale, this.y - (here[1] - last[1]) / this.scale, this.zoom);
      } else {
        const [a, b] = [...pointers.values()], apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
        moved = 99;
        if (!spread) spread = apart;
        if (apart > spread * 1.6 || apart < spread / 1.6) {
          this.zoomBy(apart > spread ? 1 : -1, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
          spread = apart;
        }
      }
    });
    const release = event => {
      const here = pointers.get(event.pointerId);
      pointers.delete(event.pointerId);
      element.classList.remove("moving");
      if (here && moved < 3 && event.type === "pointerup") this.onClick(...this.place(...here));
    };
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    let rolled = 0;
    element.addEventListener("wheel", event => {
      if (!ours(event)) return;
      event.preventDefault();
      rolled += event.deltaY;
      if (Math.abs(rolled) < 60) return;
      this.zoomBy(rolled > 0 ? -1 : 1, event.offsetX, event.offsetY);
      rolled = 0;
    }, { passive: false });
  }
}
