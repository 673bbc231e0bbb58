// Beside neuroglancer's page: dragging is not clicking, a layer's name switches it, numbers are rounded, and what is
// visible has its colours explained. A button says what lies over the slide, and what is searched in the list is marked.
// It reads the page's state as JSON, and the constants that the server wrote into the page: AXONFLOW.legends, by layer;
// AXONFLOW.lists, the layer with the list of axons of each panel from left to right; AXONFLOW.overlays, of each panel the
// layers that may lie over the slide; AXONFLOW.columns, those of the list.
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
  #axonflow-shown { position: fixed; top: 34px; z-index: 2; font: 13px sans-serif; }
  #axonflow-shown > button { padding: 6px 12px; border: 1px solid #555; border-radius: 4px; background: #202020e0;
    color: #eee; font: inherit; cursor: pointer; max-width: 46ch; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; }
  #axonflow-shown > div { margin-top: 3px; padding: 4px 0; border: 1px solid #555; border-radius: 4px; background: #202020f2;
    max-height: 70vh; overflow-y: auto; }
  #axonflow-shown > div > button { display: block; width: 100%; padding: 4px 14px; border: 0; background: none; color: #eee;
    font: inherit; text-align: left; cursor: pointer; }
  #axonflow-shown > div > button:hover, #axonflow-shown > div > button.on { background: #3f7fbf; }
  #axonflow-legends > div { width: 260px; margin-top: 6px; padding: 8px 10px; background: #202020e0; color: #eee;
    font: 13px sans-serif; border-radius: 4px; }
  #axonflow-legends .bar { height: 12px; margin: 6px 0 4px; }
  #axonflow-legends .ends { display: flex; justify-content: space-between; }
  #axonflow-legends .patch { display: inline-block; width: 12px; height: 12px; margin: 0 5px 0 0; vertical-align: -1px; }
  #axonflow-legends .note { margin-top: 4px; color: #bbb; }
  #axonflow-legends .patched { margin-right: 14px; white-space: nowrap; }
`;
document.head.append(style);

function part(kind, text = "") {
  const made = document.createElement("div");
  made.className = kind;
  made.textContent = text;
  return made;
}

function explained(layer, { colours, patches, note }) {
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
  if (note) legend.append(part("note", note));
  return legend;
}

function explain() {
  const visible = (viewer.state.toJSON().layers ?? []).filter(
    ({ name, visible, archived }) => visible !== false && !archived && AXONFLOW.legends[name],
  );
  const panels = [...document.querySelectorAll(PANEL)].map((panel) => panel.getBoundingClientRect());
  legends.style.right = `${innerWidth - Math.max(...panels.map(({ right }) => right))}px`;
  legends.replaceChildren(...visible.map((layer) => explained(layer, AXONFLOW.legends[layer.name])));
  shown.style.left = `${Math.min(...panels.map(({ left }) => left)) + 8}px`;
  const over = overlaid();
  button.textContent = `Shown: ${over.length ? over.join(", ") : "the slide alone"} ▾`;
  button.title = "Click to show something else over the slide";
}

// What lies over the slide of the first panel; the same of all stores is shown at once.
function overlaid() {
  return AXONFLOW.overlays[0].filter((name) => viewer.layerManager.getLayerByName(name)?.visible);
}

function show(chosen) {
  for (const names of AXONFLOW.overlays) {
    const among = names.map((name) => viewer.layerManager.getLayerByName(name));
    among.forEach((layer, place) => layer?.setVisible(place === chosen));
  }
}

function choose() {
  if (menu.childElementCount) return menu.remove(), menu.replaceChildren();
  const over = overlaid();
  const choices = [["the slide alone", -1], ...AXONFLOW.overlays[0].map((name, place) => [name, place])];
  for (const [name, place] of choices) {
    const choice = document.createElement("button");
    choice.textContent = name;
    choice.classList.toggle("on", place < 0 ? !over.length : over.includes(name));
    choice.addEventListener("click", () => (show(place), choose()));
    menu.append(choice);
  }
  shown.append(menu);
}

// A search in the list: its columns stay, and the axons that match are marked in the picture.
const MOST_MARKED = 5000;
const NOT_SELECTED = 0.25;
const QUERY = ".neuroglancer-segment-list-query";
let searched, marked;
addEventListener("input", ({ target, isTrusted }) => {
  if (!isTrusted || !target.matches?.(QUERY)) return;
  clearTimeout(searched);
  searched = setTimeout(() => search(target), 700);
});

function search(box) {
  if (!box.value.includes("|")) {
    const caret = box.selectionStart;
    box.value = `${box.value.trimEnd()} ${AXONFLOW.columns}`;
    box.setSelectionRange(caret, caret);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }
  searched = setTimeout(mark, 900);
}

function mark() {
  const name = AXONFLOW.lists.find((list) => list === viewer.selectedLayer.layer?.name) ?? AXONFLOW.lists[0];
  const drawn = viewer.layerManager.getLayerByName(name)?.layer?.displayState;
  const status = document.querySelector(".neuroglancer-segment-list-status");
  if (!drawn || !status) return;
  const said = status.textContent.replaceAll(",", "");
  const [, some, all] = said.match(/(\d+) match \/\s*(\d+)/) ?? said.match(/(\d+) ids/) ?? [];
  if (marked) drawn.segmentationGroupState.value.selectedSegments.clear(); // and none of them is visible any more
  marked = some !== all && Number(some) <= MOST_MARKED; // nothing is searched if all match
  drawn.notSelectedAlpha.value = marked ? 0 : NOT_SELECTED;
  if (!marked) return;
  drawn.segmentationGroupState.value.selectedSegments.clear();
  viewer.layerManager.getLayerByName(name).setVisible(true);
  setTimeout(() => status.querySelector(".neuroglancer-eye-icon:not(.neuroglancer-visible)")?.click(), 300);
}

const legends = document.createElement("div");
legends.id = "axonflow-legends";
const shown = document.createElement("div");
shown.id = "axonflow-shown";
const button = document.createElement("button");
button.addEventListener("click", choose);
const menu = document.createElement("div");
shown.append(button);
document.body.append(legends, shown);
let soon;
function explainSoon() {
  clearTimeout(soon);
  soon = setTimeout(explain, 150);
}
viewer.state.changed.add(explainSoon);
addEventListener("resize", explainSoon);
