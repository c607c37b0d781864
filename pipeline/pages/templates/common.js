
// What all pages share: elements, times, how a class looks, the switch of light and dark, tables, keys.
// Texts of data go into the page by textContent and attributes alone.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function drawn(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children); // a text becomes a text node, never markup
  return node;
}

// 75.25 -> "1:15.25"; of videos over an hour "1:01:15".
function clock(seconds, digits = 0) {
  const whole = Number(Math.abs(seconds).toFixed(digits));
  const rest = (whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

// Four digits that mean something: 0.8124, 0.001235, 1.
function score(value) {
  return String(Number(value.toPrecision(4)));
}

// The smallest usual step of a scale of time that is `least` seconds or more.
function timeStep(least) {
  const usual = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
  return usual.find((step) => step >= least) ?? Math.ceil(least / 14400) * 14400;
}

// Hatches 1 to 5 of colours.py, in a tile of 8 by 8.
const HATCHES = ["", "M-2 2L2 -2M0 8L8 0M6 10L10 6", "M-2 6L2 10M0 0L8 8M6 -2L10 2", "M2 0V8M6 0V8", "M4 0V8M0 4H8", "M1.5 2H3.5M5.5 6H7.5"];

// A <defs> with a pattern for each class that has a hatch, and one for what was missed.
function hatches(classes) {
  const defs = drawn("defs");
  const pattern = (id, path) => {
    const size = { id, width: 8, height: 8, patternUnits: "userSpaceOnUse" };
    defs.append(drawn("pattern", size, path));
    return path;
  };
  classes.forEach((one, place) => {
    if (!one.hatch) return;
    const width = one.hatch === 5 ? 2 : 1.2;
    pattern(`hatch-${place}`, drawn("path", { d: HATCHES[one.hatch], "stroke-width": width, stroke: one.ink, "stroke-opacity": 0.45 }));
  });
  pattern("missed", drawn("path", { d: HATCHES[1] }));
  return defs;
}

// A bar in the look of a class: its colour, and its hatch on top.
function classBar(one, place, box) {
  const bar = [drawn("rect", { ...box, class: "box", fill: one.fill })];
  if (one.hatch) bar.push(drawn("rect", { ...box, class: "hatch", fill: `url(#hatch-${place})` }));
  return bar;
}

function swatch(one, place) {
  const box = { x: 0.5, y: 0.5, width: 17, height: 11, rx: 2 };
  return drawn("svg", { width: 18, height: 12, class: "bar", "aria-hidden": "true" }, ...classBar(one, place, box));
}

// Light and dark follow the system until someone presses the switch; kept where the browser lets a page keep things.
function themeSwitch() {
  const buttons = document.querySelectorAll(".theme button");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const show = () => {
    const theme = root.dataset.theme ?? (system.matches ? "dark" : "light");
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
  };
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch { /* not for this page */ }
  for (const button of buttons) {
    button.addEventListener("click", () => {
      root.dataset.theme = button.dataset.theme;
      try { localStorage.setItem("theme", button.dataset.theme); } catch { /* it holds until the page is closed */ }
      show();
    });
  }
  system.addEventListener("change", show);
  show();
}

// A table with headings that sort. `columns`: {title, number, value(row) to sort by, cell(row) a text or a node}.
// `by`: the column sorted by at first, falling if `down`. Returns a function that shows other rows; `onPick(row)` is what a click on a row does, and `mark(tr, row)` sees each.
function sortableTable(table, columns, { by, down = true, most, more, onPick, mark }) {
  let rows = [], key = by, all = false;
  const body = element("tbody");
  const kind = (column) => ({ class: column.number ? "number" : column.word ? "word" : "text" });
  const heads = columns.map((column, place) => {
    const button = element("button", { type: "button" }, column.title);
    button.addEventListener("click", () => {
      down = place === key ? !down : Boolean(column.number);
      key = place;
      show(rows);
    });
    return element("th", { ...kind(column), scope: "col" }, button);
  });
  table.replaceChildren(element("thead", {}, element("tr", {}, ...heads)), body);
  more.addEventListener("click", () => { all = true; show(rows); });

  function line(row) {
    const cells = columns.map((column) => element("td", kind(column), column.cell(row)));
    const tr = element("tr", {}, ...cells);
    tr.addEventListener("click", () => onPick(row));
    mark(tr, row);
    return tr;
  }

  function show(next) {
    rows = next;
    const { value } = columns[key];
    const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
    const sorted = [...rows].sort((a, b) => (down ? order(b, a) : order(a, b)));
    body.replaceChildren(...sorted.slice(0, all ? undefined : most).map(line));
    heads.forEach((head, place) => {
      if (place === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    more.hidden = all || rows.length <= most;
    more.textContent = `show all ${rows.length.toLocaleString("en")}`;
  }
  return show;
}

// Keys of the whole page. A field that takes text keeps them all; what is pressed or moved by space, enter or
// arrows keeps these.
function onKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (target.matches("input[type=search], input[type=number], input[type=text], textarea, select")) {
      if (key === "Escape") target.blur();
      return;
    }
    const own = target.matches("button, input") && [" ", "Enter", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
    if ((own && own.includes(key)) || !Object.hasOwn(actions, key)) return;
    if (actions[key](event) !== false) event.preventDefault();
  }, true); // before a video element with controls takes them
}
