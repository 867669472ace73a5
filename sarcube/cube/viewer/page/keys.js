// Keys work at once, wherever the focus is, but for fields in which one types or chooses.

const MOVE = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function connectKeys(map, actions) {
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest?.("input, select, textarea, dialog");
    const button = event.target.closest?.("button, a");
    if (event.key === "Escape") { actions.escape(); return; }
    if (field && !(field.type === "checkbox")) return;
    if (button && (event.key === "Enter" || event.key === " ")) return;
    if (event.key in MOVE) {
      const [x, y] = MOVE[event.key], size = map.getSize();
      map.panBy([x * size.x / 5, y * size.y / 5], { animate: false });
      actions.aim();
    } else if (event.key in actions.keys) actions.keys[event.key]();
    else return;
    event.preventDefault();
  });
}
