// Beside neuroglancer's page: dragging is not clicking, a layer's name switches it, numbers are rounded, and what is
// visible has its colours explained.
// It reads the page's state as JSON, and the constants that the server wrote into the page: AXONFLOW.legends, by layer,
// and AXONFLOW.lists, the layer with the list of axons of each panel from left to right.
"use strict";

const PANEL = ".neuroglancer-rendered-data-panel";
const NUMBERS =
  ".neuroglancer-segment-list-entry-extra-property, .neuroglancer-selection-details-segment-property-value";
const DRAGGED_PX = 4;

let pressed = [0, 0];
addEventListener("mousedown", (event) => (pressed = [event.clientX, event.clientY]), true);
addEventListener(
  "click",
  (event) => {
    const panel = event.target.closest?.(PANEL);
    if (!panel) return;
    if (Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > DRAGGED_PX) {
      event.stopPropagation();
    } else if (AXONFLOW.lists.length > 1) {
      const place = [...document.querySelectorAll(PANEL)].indexOf(panel);
      viewer.selectedLayer.layer = viewer.layerManager.getLayerByName(AXONFLOW.lists[place]);
    }
  },
  true,
);

const LISTED = ".neuroglancer-layer-list-panel-item";
addEventListener("click", ({ target, ctrlKey, altKey }) => {
  const name = target.closest?.(`${LISTED}-name, ${LISTED}-number`)?.closest(LISTED).querySelector(`${LISTED}-name`);
  if (!name || ctrlKey || altKey) return;
  name.readOnly = true; // a layer that is renamed here would be lost to the server
  name.blur();
  const layer = viewer.layerManager.getLayerByName(name.value ?? name.textContent);
  layer?.setVisible(!layer.visible);
});

function round(element) {
  const rounded = String(Number(Number(element.textContent).toPrecision(4)));
  if (element.textContent !== "" && rounded !== "NaN" && rounded !== element.textContent) element.textContent = rounded;
}

new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      if (node.matches(NUMBERS)) round(node);
      node.querySelectorAll(NUMBERS).forEach(round);
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true });

const style = document.createElement("style");
style.textContent = `
  .neuroglancer-layer-list-panel-item > input[type="checkbox"] { display: none; }
  .neuroglancer-layer-list-panel-item-name { cursor: pointer; }
  .neuroglancer-segment-list-entry-extra-property { width: 11ch !important; }
  #axonflow-legends { position: fixed; right: 0; bottom: 0; padding: 8px; pointer-events: none; z-index: 1; }
  #axonflow-legends > div { width: 260px; margin-top: 6px; padding: 8px 10px; background: #202020e0; color: #eee;
    font: 13px sans-serif; border-radius: 4px; }
  #axonflow-legends .bar { height: 12px; margin: 6px 0 4px; }
  #axonflow-legends .ends { display: flex; justify-content: space-between; }
  #axonflow-legends .patch { display: inline-block; width: 12px; height: 12px; margin: 0 5px 0 0; vertical-align: -1px; }
  #axonflow-legends .patched { margin-right: 14px; white-space: nowrap; }
`;
document.head.append(style);

function part(kind, text = "") {
  const made = document.createElement("div");
  made.className = kind;
  made.textContent = text;
  return made;
}

function explained(layer, { colours, patches }) {
  const legend = document.createElement("div");
  legend.append(part("title", layer.name));
  if (colours) {
    const bar = part("bar");
    bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
    const ends = part("ends");
    ends.append(...layer.shaderControls.range.range.map((end) => part("end", String(Number(end.toPrecision(4))))));
    legend.append(bar, ends);
  } else {
    const row = part("ends");
    row.style.justifyContent = "flex-start";
    row.style.flexWrap = "wrap";
    for (const [word, colour] of Object.entries(patches)) {
      const patched = part("patched", word);
      const patch = part("patch");
      patch.style.background = layer.shaderControls?.[word] ?? colour;
      patched.prepend(patch);
      row.append(patched);
    }
    legend.append(row);
  }
  return legend;
}

function explain() {
  const visible = (viewer.state.toJSON().layers ?? []).filter(
    ({ name, visible, archived }) => visible !== false && !archived && AXONFLOW.legends[name],
  );
  const panels = [...document.querySelectorAll(PANEL)].map((panel) => panel.getBoundingClientRect());
  legends.style.right = `${innerWidth - Math.max(...panels.map(({ right }) => right))}px`;
  legends.replaceChildren(...visible.map((layer) => explained(layer, AXONFLOW.legends[layer.name])));
}

const legends = document.createElement("div");
legends.id = "axonflow-legends";
document.body.append(legends);
let soon;
function explainSoon() {
  clearTimeout(soon);
  soon = setTimeout(explain, 150);
}
viewer.state.changed.add(explainSoon);
addEventListener("resize", explainSoon);
