
// The report's sections that hang on no video: what costs the points, mAP, classes, curves, confusion, training.

const percent = { min: 0, max: 100, ticks: [0, 25, 50, 75, 100] };
const nameAt = (place) => classes[place].name;

function showPoints() {
  if (byId("errors")) barTable(byId("errors"), data.errors, { unit: "mAP points", counted: "rows" });
  if (byId("stages")) barTable(byId("stages"), data.stages, { unit: "mAP points", signed: true });
}

function showMap() {
  const { iou, rows } = data.maps;
  const shown = (value) => (value === null ? "" : value.toFixed(1));
  const lines = rows.map((row, place) => ({
    name: row.name, points: iou.map((tiou, i) => [tiou, row.values[i]]), look: place, thin: !row.ours, value: row.average === null ? "" : `average ${shown(row.average)}`,
  }));
  const desc = rows.map((row) => `${row.name} ${iou.map((tiou, i) => `${shown(row.values[i])} at ${tiou}`).join(", ")}`).join("; ");
  const low = Math.min(...iou), high = Math.max(...iou);
  lineChart(byId("map"), {
    title: "mAP over tIoU", desc, lines,
    xAxis: { min: low, max: high > low ? high : low + 0.1, title: "tIoU", ticks: iou.length < 12 ? iou : undefined },
    yAxis: { ...percent, title: "mAP, %" },
  });
}

// ---- classes ----

function classColumns() {
  const label = (row) => {
    const name = element("bdi", { title: classes[row.place].label }, nameAt(row.place));
    return element("button", { type: "button" }, swatch(classes[row.place], row.place), " ", name);
  };
  const confused = (row) => (row.confused ? element("span", {}, element("bdi", {}, nameAt(row.confused[0])), ` ×${row.confused[1]}`) : "");
  const figure = (title, value, digits = 1) => ({ title, number: true, value: (row) => value(row) ?? -1, cell: (row) => (value(row) === null ? "–" : value(row).toFixed(digits)) });
  return [
    { title: "class", value: (row) => nameAt(row.place), cell: label },
    figure(`AP@${data.tiou}`, (row) => row.ap),
    figure("AP", (row) => row.average),
    figure("truths", (row) => row.truths, 0),
    figure("right", (row) => row.found, 0),
    figure("precision", (row) => row.precision),
    figure("recall", (row) => row.recall),
    { title: "at score", number: true, value: (row) => row.score ?? -1, cell: (row) => (row.score === null ? "–" : score(row.score)) },
    { title: "most confused with", value: (row) => (row.confused ? row.confused[1] : 0), cell: confused },
  ];
}

let pickedClass = null;

function pickClass(row) {
  pickedClass?.line?.classList.remove("picked");
  pickedClass = row;
  row.line?.classList.add("picked");
  byId("class-name").textContent = nameAt(row.place);
  const [recall, precision] = row.curve;
  byId("class-figure").hidden = !recall.length;
  if (!recall.length) return;
  lineChart(byId("class-curve"), {
    title: `Precision over recall of ${nameAt(row.place)}`, desc: `AP ${row.ap.toFixed(1)} at tIoU ${data.tiou}`,
    lines: [{ name: "precision", points: recall.map((at, i) => [at, precision[i]]), value: `AP@${data.tiou} ${row.ap.toFixed(1)}` }],
    xAxis: { ...percent, title: "recall, %" }, yAxis: { ...percent, title: "precision, %" },
  });
}

function showClasses() {
  const columns = classColumns();
  const show = sortableTable(byId("class-table"), columns, {
    by: 1, down: false, most: 30, more: byId("more-classes"), onPick: pickClass,
    mark: (tr, row) => { row.line = tr; tr.classList.toggle("picked", row === pickedClass); },
  });
  byId("class-figure").hidden = true;
  const drawnOf = data.rows.filter((row) => row.curve[0].length); // the lowest AP first
  if (drawnOf.length) pickClass(drawnOf[0]);
  show(data.rows);
}

// ---- curves ----

function showOperating() {
  const one = data.operating;
  if (!one) return;
  const best = one.score[one.best], high = Math.max(...one.score), low = Math.min(...one.score);
  const line = (name, key) => ({ name, points: one.score.map((at, i) => [at, one[key][i]]), value: one[key][one.best].toFixed(1) });
  lineChart(byId("operating"), {
    title: "Precision, recall and F1 over the score threshold", desc: `the best F1, ${one.f1[one.best].toFixed(1)}, is at score ${score(best)}`,
    lines: [line("precision", "precision"), line("recall", "recall"), line("F1", "f1")],
    xAxis: { min: low, max: high > low ? high : low + 1, title: "score threshold" }, yAxis: { ...percent, title: "%" },
    marks: [{ x: best, text: `best F1 ${one.f1[one.best].toFixed(1)} at ${score(best)}` }],
  });
}

function showRecall() {
  const many = data.recall.length;
  if (!many) return;
  lineChart(byId("recall"), {
    title: "Recall of the proposals", desc: `AR@${many} ${data.recall.at(-1).toFixed(1)}`,
    lines: [{ name: "average recall", points: data.recall.map((value, i) => [i + 1, value]), value: `AR@${many} ${data.recall.at(-1).toFixed(1)}` }],
    xAxis: { min: 1, max: Math.max(many, 2), ratio: true, ticks: ratioTicks(1, many), title: "proposals a video (AN)" }, yAxis: { ...percent, title: "AR, %" },
  });
}

function showDurations() {
  const one = data.durations;
  if (!one) return;
  const limits = [];
  if (one.shortest) limits.push({ at: one.shortest, side: "low", text: `one position ${brief(one.shortest)} s` });
  if (one.longest) limits.push({ at: one.longest, side: "high", text: `longest proposal ${brief(one.longest)} s` });
  const total = one.counts.reduce((a, b) => a + b, 0);
  histogram(byId("durations"), { title: "Length of the true segments", desc: `${total} segments; ${limits.map((limit) => limit.text).join(", ")}`, edges: one.edges, counts: one.counts, limits, xTitle: "seconds" });
}

function chartOfTraining(one, title, series, yTitle) {
  const names = Object.keys(series).filter((name) => series[name].some((value) => value !== null));
  if (!names.length) return;
  const values = names.flatMap((name) => series[name]).filter((value) => value !== null);
  const host = element("div", { class: "chart-of" });
  byId("trainings").append(element("figure", {}, element("figcaption", {}, `${one.name}: ${title}`), host));
  const last = (name) => brief(series[name].findLast((value) => value !== null));
  const high = Math.max(...values), low = Math.min(0, ...values);
  lineChart(host, {
    title: `${one.name}: ${title}`, desc: names.map((name) => `${name} ends at ${last(name)}`).join(", "), height: 190,
    lines: names.map((name) => ({ name, points: one.epochs.map((epoch, i) => [epoch, series[name][i]]), value: last(name) })),
    xAxis: { min: one.epochs[0], max: Math.max(one.epochs.at(-1), one.epochs[0] + 1), title: "epoch", format: (tick) => String(Math.round(tick)) },
    yAxis: { min: low, max: high > low ? high * 1.02 : low + 1, title: yTitle, format: (tick) => String(Number(tick.toPrecision(3))) },
  });
}

function showTrainings() {
  for (const one of data.trainings) {
    chartOfTraining(one, "loss", one.losses, "");
    chartOfTraining(one, "validation", one.validation, "");
    chartOfTraining(one, "learning rate", { "learning rate": one.rate }, "");
  }
}

function showConfusion() {
  const one = data.confusion;
  if (!one) return;
  const right = one.counts.reduce((sum, row, i) => sum + row[i], 0), all = one.counts.flat().reduce((a, b) => a + b, 0);
  matrix(byId("confusion"), { title: "Confusion of classes", desc: `${right} of ${all} localized ground truths have the right class`, names: one.places.map(nameAt), counts: one.counts });
}

function showErrorsBy() {
  for (const group of data.errorsBy) {
    const table = element("table", { class: "bars" });
    byId("errors-by").append(element("figure", {}, element("figcaption", {}, group.title), element("div", { class: "wide" }, table)));
    barTable(table, group.bars, { unit: group.unit, counted: "truths" });
  }
}
