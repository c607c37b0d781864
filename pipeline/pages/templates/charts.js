
// Charts as inline SVG: lines, bars, a matrix. Each has a title and a description that say what it shows, is drawn
// again for its width, and distinguishes lines by dashes as well as by colour.

const DASHES = ["", "7 3", "2 3", "9 3 2 3", "1 4", "12 4"];
const LOOKS_OF_LINES = DASHES.length;
const brief = (value) => (value === null ? "–" : Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(1) : String(Number(value.toPrecision(3))));

// Round steps that cut a range into about so many parts.
function ticksOf(low, high, parts) {
  if (!(high > low)) return [low];
  const rough = (high - low) / parts, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * size).find((one) => one >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

// 1, 2, 5, 10, ... within a range of ratios.
function ratioTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const one of [1, 2, 5]) ticks.push(Number((one * 10 ** power).toPrecision(6)));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

// The frame of a chart in `host`, which `paint(width)` fills: drawn when it is first seen to have a width, and again at
// another.
const watching = new WeakMap(); // host -> what sees its width
function drawnAtWidth(host, height, title, desc, paint) {
  watching.get(host)?.disconnect(); // of the chart that was there before
  let width = 0;
  const fit = () => {
    const room = Math.round(host.clientWidth);
    if (!room || room === width) return;
    width = room;
    const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${desc}` });
    svg.append(drawn("title", {}, title), drawn("desc", {}, desc), ...paint(width, svg));
    const old = host.querySelector("svg.chart");
    if (old) old.replaceWith(svg);
    else host.prepend(svg);
  };
  const sees = new ResizeObserver(fit);
  watching.set(host, sees);
  sees.observe(host);
  fit();
}

function scaleOf({ min, max, ratio }, from, to) {
  const way = ratio ? Math.log : (value) => value;
  const low = way(min), high = way(max);
  return (value) => from + ((way(value) - low) / (high - low || 1)) * (to - from);
}

// What the labels of an axis take on its left, in pixels.
function roomFor(axis) {
  const texts = (axis.ticks ?? ticksOf(axis.min, axis.max, 4)).map((tick) => axis.format?.(tick) ?? String(tick));
  return 12 + 7 * Math.max(...texts.map((text) => text.length));
}

function axes(box, xAxis, yAxis, x, y) {
  const parts = [];
  for (const tick of yAxis.ticks ?? ticksOf(yAxis.min, yAxis.max, 4)) {
    parts.push(drawn("line", { class: "rule", x1: box.left, x2: box.right, y1: y(tick), y2: y(tick) }));
    parts.push(drawn("text", { x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" }, yAxis.format?.(tick) ?? String(tick)));
  }
  let last = -Infinity;
  for (const tick of xAxis.ticks ?? ticksOf(xAxis.min, xAxis.max, Math.max(2, Math.floor((box.right - box.left) / 70)))) {
    const text = xAxis.format?.(tick) ?? String(tick), at = x(tick);
    if (at - last < 12 + 7 * text.length) continue;
    last = at;
    parts.push(drawn("line", { class: "rule", x1: at, x2: at, y1: box.bottom, y2: box.bottom + 4 }));
    parts.push(drawn("text", { x: at, y: box.bottom + 17, "text-anchor": at > box.right - 12 ? "end" : "middle" }, text));
  }
  parts.push(drawn("text", { x: box.right, y: box.bottom + 32, "text-anchor": "end", class: "axis-title" }, xAxis.title));
  parts.push(drawn("text", { x: 0, y: 11, class: "axis-title" }, yAxis.title));
  return parts;
}

// A path through points [x, y]; it breaks where a y is null.
function pathOf(points, x, y) {
  let path = "", pen = "M";
  for (const [at, value] of points) {
    if (value === null || value === undefined) { pen = "M"; continue; }
    path += `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  }
  return path;
}

// Lines over one axis. lines: {name, points [[x, y]], look (its place among the looks), thin, value (in the legend)}.
function lineChart(host, { title, desc, xAxis, yAxis, lines, marks = [], height = 230 }) {
  const values = [];
  const legend = element("p", { class: "key" }, ...lines.map((line, place) => {
    const look = line.look ?? place, sample = drawn("svg", { width: 26, height: 10, "aria-hidden": "true" });
    sample.append(drawn("path", { class: lineClass(line, look), d: "M1 5H25", "stroke-dasharray": DASHES[look % LOOKS_OF_LINES] }));
    values.push(element("output", {}, line.value ?? ""));
    return element("span", {}, sample, element("bdi", {}, line.name), " ", values[place]);
  }));
  host.replaceChildren(legend);
  drawnAtWidth(host, height, title, desc, (width, svg) => {
    const box = { left: roomFor(yAxis), right: width - 10, top: 22, bottom: height - 36 };
    const x = scaleOf(xAxis, box.left, box.right), y = scaleOf(yAxis, box.bottom, box.top);
    const parts = axes(box, xAxis, yAxis, x, y);
    lines.forEach((line, place) => {
      const look = line.look ?? place, shape = { class: lineClass(line, look), "stroke-dasharray": DASHES[look % LOOKS_OF_LINES] };
      const known = line.points.filter((point) => point[1] !== null);
      if (known.length === 1) parts.push(drawn("circle", { class: `dot c${look % LOOKS_OF_LINES}`, cx: x(known[0][0]), cy: y(known[0][1]), r: 3 }));
      else parts.push(drawn("path", { ...shape, d: pathOf(line.points, x, y) }));
    });
    for (const mark of marks) {
      parts.push(drawn("line", { class: "mark", x1: x(mark.x), x2: x(mark.x), y1: box.top, y2: box.bottom }));
      const right = x(mark.x) > width * 0.6;
      parts.push(drawn("text", { class: "mark-text", x: x(mark.x) + (right ? -5 : 5), y: box.top + 10, "text-anchor": right ? "end" : "start" }, mark.text));
    }
    const pointer = drawn("line", { class: "pointer", x1: 0, x2: 0, y1: box.top, y2: box.bottom, visibility: "hidden" });
    svg.addEventListener("pointermove", (event) => readOut(event, svg, width, x, xAxis, pointer, lines, values));
    svg.addEventListener("pointerleave", () => {
      pointer.setAttribute("visibility", "hidden");
      lines.forEach((line, place) => { values[place].textContent = line.value ?? ""; });
    });
    return [...parts, pointer];
  });
}

const lineClass = (line, look) => `line c${look % LOOKS_OF_LINES}${line.thin ? " thin" : ""}`;

// The values at the pointer, in the legend.
function readOut(event, svg, width, x, xAxis, pointer, lines, values) {
  const bounds = svg.getBoundingClientRect();
  const at = ((event.clientX - bounds.left) / bounds.width) * width;
  let nearest = null;
  for (const line of lines) for (const [place] of line.points) if (nearest === null || Math.abs(x(place) - at) < Math.abs(x(nearest) - at)) nearest = place;
  if (nearest === null) return;
  pointer.setAttribute("visibility", "visible");
  pointer.setAttribute("x1", x(nearest));
  pointer.setAttribute("x2", x(nearest));
  lines.forEach((line, place) => {
    let best = null;
    for (const point of line.points) if (point[1] !== null && (best === null || Math.abs(x(point[0]) - x(nearest)) < Math.abs(x(best[0]) - x(nearest)))) best = point;
    values[place].textContent = best === null ? "–" : `${brief(best[1])} at ${xAxis.format?.(best[0]) ?? brief(best[0])}`;
  });
}

// Counts between edges, on a scale of ratios; limits: {at, text}, and what lies outside of them is hatched.
function histogram(host, { title, desc, edges, counts, limits, xTitle, height = 190 }) {
  host.replaceChildren();
  drawnAtWidth(host, height, title, desc, (width) => {
    const box = { left: 40, right: width - 10, top: 34, bottom: height - 36 };
    const xAxis = { min: edges[0], max: edges.at(-1), ratio: true, ticks: ratioTicks(edges[0], edges.at(-1)), title: xTitle };
    const yAxis = { min: 0, max: Math.max(1, ...counts), title: "" };
    const x = scaleOf(xAxis, box.left, box.right), y = scaleOf(yAxis, box.bottom, box.top);
    const parts = [hatches([]), ...axes(box, xAxis, yAxis, x, y)];
    const low = limits.find((limit) => limit.side === "low")?.at ?? 0, high = limits.find((limit) => limit.side === "high")?.at ?? Infinity;
    counts.forEach((count, place) => {
      if (!count) return;
      const middle = Math.sqrt(edges[place] * edges[place + 1]), out = middle < low || middle > high;
      const shape = { x: x(edges[place]) + 0.5, width: Math.max(x(edges[place + 1]) - x(edges[place]) - 1, 1), y: y(count), height: box.bottom - y(count) };
      parts.push(drawn("rect", { ...shape, class: out ? "bin out" : "bin" }, drawn("title", {}, `${brief(edges[place])} to ${brief(edges[place + 1])} s: ${count}`)));
      if (out) parts.push(drawn("rect", { ...shape, fill: "url(#missed)" }));
    });
    limits.forEach(({ at, text }, place) => {
      const right = x(at) > width * 0.5;
      parts.push(drawn("line", { class: "mark", x1: x(at), x2: x(at), y1: box.top - 4, y2: box.bottom }));
      parts.push(drawn("text", { class: "mark-text", x: x(at) + (right ? -5 : 5), y: 12 + 14 * place, "text-anchor": right ? "end" : "start" }, text));
    });
    return parts;
  });
}

// Rows of a name, a bar and numbers, as a table; the longest bar fills its column. bars: {name, points, count, note, sum (of
// others: it has no bar)}.
function barTable(table, bars, { unit, counted, signed = false }) {
  const most = Math.max(0.01, ...bars.filter((bar) => !bar.sum).map((bar) => Math.abs(bar.points)));
  const heads = ["", "", unit, ...(counted ? [counted] : [])];
  const head = element("tr", {}, ...heads.map((text, place) => element("th", { scope: "col", class: place > 1 ? "number" : "" }, text)));
  const lines = bars.map((bar) => {
    const svg = drawn("svg", { class: "bar-of", width: "100%", height: 14, "aria-hidden": "true" });
    if (!bar.sum) svg.append(drawn("rect", { width: `${(100 * Math.abs(bar.points)) / most}%`, height: 12, y: 1, rx: 2, class: bar.points < 0 ? "less" : "" }));
    const shown = `${signed && bar.points > 0 ? "+" : bar.points < 0 ? "−" : ""}${Math.abs(bar.points).toFixed(1)}`;
    const cells = [element("th", { scope: "row", title: bar.note }, element("bdi", {}, bar.name)), element("td", { class: "of" }, svg), element("td", { class: "number" }, shown)];
    if (counted) cells.push(element("td", { class: "number" }, bar.count === null ? "" : bar.count.toLocaleString("en")));
    return element("tr", { class: bar.sum ? "sum" : "" }, ...cells);
  });
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...lines));
}

// Counts [true][found] of classes; darker is more, the diagonal is right.
function matrix(host, { title, desc, names, counts }) {
  const size = names.length, cell = size > 16 ? 22 : 30;
  const room = Math.min(190, 14 + 7 * Math.max(...names.map((name) => Math.min(name.length, 25))));
  const width = room + size * cell + 8, height = room + size * cell + 8;
  const svg = drawn("svg", { class: "matrix", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${desc}` });
  svg.append(drawn("title", {}, title), drawn("desc", {}, desc));
  const cut = (name) => (name.length > 25 ? `${name.slice(0, 24)}…` : name);
  names.forEach((name, row) => {
    const total = counts[row].reduce((a, b) => a + b, 0) || 1, middle = room + row * cell + cell / 2;
    svg.append(drawn("text", { x: room - 6, y: middle + 4, "text-anchor": "end" }, cut(name)));
    svg.append(drawn("text", { x: 0, y: 0, transform: `translate(${middle + 4} ${room - 6}) rotate(-90)` }, cut(name)));
    counts[row].forEach((count, column) => {
      const box = { x: room + column * cell + 1, y: room + row * cell + 1, width: cell - 2, height: cell - 2 };
      const share = count / total;
      const one = drawn("g", {}, drawn("title", {}, `${name} named ${names[column]}: ${count} of ${total}`));
      one.append(drawn("rect", { ...box, class: row === column ? "cell right" : "cell", "fill-opacity": count ? 0.12 + 0.88 * share : 0.03 }));
      if (count) one.append(drawn("text", { x: box.x + box.width / 2, y: box.y + box.height / 2 + 4, "text-anchor": "middle", class: share > 0.55 ? "strong" : "" }, String(count)));
      svg.append(one);
    });
  });
  host.replaceChildren(svg);
}
