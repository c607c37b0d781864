
// The page of a comparison: tables of values side by side with intervals, mAP and training curves.

const names = data.runs.map((run) => run.name);

function signed(value) {
  if (value === null) return "–";
  const text = Math.abs(value).toFixed(1);
  return text === "0.0" ? text : `${value > 0 ? "+" : "−"}${text}`;
}

// A difference and its interval on a scale of -most to +most; better is what is wanted, `down`: less is.
function whisker(by, most, down) {
  const wide = 150, high = 16, x = (value) => wide / 2 + (value / most) * (wide / 2 - 5);
  const sure = by.low === null ? 0 : by.low > 0 ? 1 : by.high < 0 ? -1 : 0;
  const look = ["worse", "unsure", "better"][1 + (down ? -sure : sure)];
  const text = by.low === null ? signed(by.difference) : `${signed(by.difference)}, from ${signed(by.low)} to ${signed(by.high)}`;
  const svg = drawn("svg", { class: `whisker ${look}`, width: wide, height: high, role: "img", "aria-label": text }, drawn("title", {}, text));
  svg.append(drawn("line", { class: "zero", x1: wide / 2, x2: wide / 2, y1: 0, y2: high }));
  if (by.low !== null) svg.append(drawn("line", { x1: x(by.low), x2: x(by.high), y1: high / 2, y2: high / 2 }));
  if (by.difference !== null) svg.append(drawn("circle", { cx: x(by.difference), cy: high / 2, r: 3.5 }));
  return svg;
}

// Rows {name, runs, differences, segments} under headings that sort. `down`: less is better.
function sideBySide(id, rows, { title, by = null, down = false, most = 100, more = element("button"), counted = false }) {
  const ends = rows.flatMap((row) => row.differences.flatMap((one) => [one.difference, one.low, one.high])).map((value) => Math.abs(value ?? 0));
  const scale = Math.max(0.1, ...ends);
  const columns = [{ title, value: (row) => row.place, cell: (row) => element("bdi", {}, row.name) }];
  if (counted) columns.push({ title: "segments", number: true, value: (row) => row.segments, cell: (row) => row.segments.toLocaleString("en") });
  names.forEach((name, run) => {
    columns.push({ title: name, number: true, value: (row) => row.runs[run], cell: (row) => row.runs[run].toFixed(1) });
    if (!run) return;
    const of = (row) => row.differences[run - 1];
    columns.push({ title: "difference", number: true, value: (row) => of(row).difference ?? 0, cell: (row) => signed(of(row).difference) });
    columns.push({ title: "interval", value: (row) => of(row).low ?? 0, cell: (row) => whisker(of(row), scale, down) });
  });
  const show = sortableTable(byId(id), columns, { by: by ?? 0, down: by !== null, most, more, onPick: () => {}, mark: () => {} });
  show(rows.map((row, place) => ({ ...row, place })));
}

function showTasks() {
  Object.entries(data.tasks).forEach(([name, task], place) => {
    const rows = data.iou.map((tiou, i) => ({ name: `@${tiou}`, runs: task.runs.map((run) => run.map[i]), differences: task.differences.map((one) => one.map[i]) }));
    rows.push({ name: "average", runs: task.runs.map((run) => run.average), differences: task.differences.map((one) => one.average) });
    sideBySide(`task-${place}`, rows, { title: name });
  });
}

function showMap() {
  const task = Object.values(data.tasks)[0], { iou } = data;
  const lines = names.map((name, run) => ({ name, points: iou.map((tiou, i) => [tiou, task.runs[run].map[i]]), value: `average ${task.runs[run].average.toFixed(1)}` }));
  const low = Math.min(...iou), high = Math.max(...iou);
  lineChart(byId("map"), {
    title: "mAP over tIoU", desc: lines.map((line) => `${line.name} ${line.value}`).join("; "), lines, height: 280,
    xAxis: { min: low, max: high > low ? high : low + 0.1, title: "tIoU", ticks: iou.length < 12 ? iou : undefined },
    yAxis: { min: 0, max: 100, ticks: [0, 25, 50, 75, 100], title: "mAP, %" },
  });
}

function showRecall() {
  if (!data.recall) return;
  const { counts, runs, differences } = data.recall;
  sideBySide("recall", counts.map((count, i) => ({ name: `AR@${count}`, runs: runs.map((run) => run[i]), differences: differences.map((one) => one[i]) })), { title: "proposals" });
}

function showClasses() {
  const largest = (row) => Math.max(...row.differences.map((one) => Math.abs(one.difference ?? 0)));
  const rows = [...data.rows].sort((a, b) => largest(b) - largest(a));
  sideBySide("classes", rows, { title: "class", most: 30, more: byId("more-classes"), counted: true });
}

// Figure A2: the curves of all runs in one chart, training terms and validation apart.
function showTrainings() {
  const host = byId("trainings");
  if (!host) return;
  for (const [stage, title] of [["finetune", "classifier"], ["bmn", "proposals (BMN)"], ["actionformer", "detector (ActionFormer)"]]) {
    const keys = new Set(data.runs.flatMap((run) => run.history[stage] ?? []).flatMap(Object.keys));
    for (const key of keys) {
      if (key === "epoch" || key === "lr" || key.startsWith("extract_")) continue;
      const lines = data.runs.flatMap((run, place) => {
        const points = (run.history[stage] ?? []).filter((row) => Number.isFinite(row.epoch)).map((row) => [row.epoch, Number.isFinite(row[key]) ? row[key] : null]);
        const known = points.filter((point) => point[1] !== null);
        return known.length ? [{ name: run.name, points, look: place, value: brief(known.at(-1)[1]) }] : [];
      });
      if (lines.length) trainingChart(host, `${title}: ${key}`, lines);
    }
  }
}

function trainingChart(host, title, lines) {
  const chart = element("div", { class: "chart-of" });
  host.append(element("figure", {}, element("figcaption", {}, title), chart));
  const points = lines.flatMap((line) => line.points), values = points.map((point) => point[1]).filter((value) => value !== null);
  const last = Math.max(...points.map((point) => point[0])), first = Math.min(...points.map((point) => point[0])), high = Math.max(...values), low = Math.min(0, ...values);
  lineChart(chart, {
    title, desc: lines.map((line) => `${line.name} ends at ${line.value}`).join(", "), lines, height: 200,
    xAxis: { min: first, max: Math.max(last, first + 1), title: "epoch", format: (tick) => String(Math.round(tick)) },
    yAxis: { min: low, max: high > low ? high * 1.02 : low + 1, title: "", format: (tick) => String(Number(tick.toPrecision(3))) },
  });
}

function showChanged() {
  data.changed.forEach((videos, place) => {
    const table = element("table", { class: "facts versus" });
    byId("changed").append(element("h3", {}, element("bdi", {}, names[0]), " → ", element("bdi", {}, names[place + 1])), element("div", { class: "wide" }, table));
    if (!videos.length) { table.replaceWith(element("p", { class: "note" }, "None changed.")); return; }
    const side = (title, key, count) => ({ title, number: true, value: (row) => row[key][count], cell: (row) => (count === "f1" ? row[key][count].toFixed(1) : String(row[key][count])) });
    const columns = [
      { title: "video", value: (row) => row.video, cell: (row) => element("bdi", {}, row.video) },
      side("F1", "first", "f1"), side("F1 now", "second", "f1"),
      { title: "difference", number: true, value: (row) => row.difference, cell: (row) => signed(row.difference) },
      side("right", "first", "right"), side("right now", "second", "right"), side("missed", "first", "missed"), side("missed now", "second", "missed"),
    ];
    sortableTable(table, columns, { by: 3, down: false, most: 100, more: element("button"), onPick: () => {}, mark: () => {} })(videos);
  });
}

themeSwitch();
showTasks();
showMap();
sideBySide("errors", data.errors.kinds.map((kind) => ({ name: kind.kind, runs: kind.runs, differences: kind.differences })), { title: "points lost", down: true });
showRecall();
showClasses();
showTrainings();
showChanged();
