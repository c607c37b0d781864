
// The timeline page: one video's tracks (tracks.js), a table of its detections, and classes to choose.

takeVideo(data);
const trueClasses = new Set(truths.map((row) => row.place));

const showRows = sortableTable(byId("table"), tableColumns(), {
  by: 0, most: 100, more: byId("more"), onPick: (row) => pick(row),
  mark: (tr, row) => { row.line = tr; tr.classList.toggle("picked", row === state.picked); },
});

function tableColumns() {
  // As many that three of the best score mean something: scores of a model that is not sure yet differ far behind the point.
  const best = detections[0]?.score || 1, digits = Math.max(3, 2 - Math.floor(Math.log10(best)));
  const label = (row) => {
    const name = element("bdi", { title: classes[row.place].label }, nameOf(row));
    return element("button", { type: "button" }, swatch(classes[row.place], row.place), " ", name);
  };
  const columns = [
    { title: "score", number: true, value: (row) => row.score, cell: (row) => (row.score < 0.001 ? score(row.score) : row.score.toFixed(digits)) },
    { title: "start", number: true, value: (row) => row.start, cell: (row) => clock(row.start, 2) },
    { title: "end", number: true, value: (row) => row.end, cell: (row) => clock(row.end, 2) },
    { title: "seconds", number: true, value: (row) => row.end - row.start, cell: (row) => (row.end - row.start).toFixed(2) },
    { title: "class", value: nameOf, cell: label },
  ];
  if (data.truth) columns.push({ title: "against the truth", word: true, value: (row) => row.verdict, cell: (row) => row.verdict });
  return columns;
}

function showNumbers(shown) {
  const set = (id, value) => { if (byId(id)) byId(id).textContent = value; };
  const right = shown.filter((row) => row.verdict === "right").length;
  set("n-shown", shown.length.toLocaleString("en"));
  set("n-classes", new Set(shown.map((row) => row.place)).size);
  set("n-best", detections.length ? score(detections[0].score) : "–");
  set("n-right", right);
  set("n-wrong", shown.length - right);
  set("n-missed", shownTruths().filter(isMissed).length);
  byId("shown").textContent = `${shown.length.toLocaleString("en")} of ${data.total.toLocaleString("en")} detections shown`;
}
onShow.push((shown) => {
  showRows(shown);
  showNumbers(shown);
  const counts = new Array(classes.length).fill(0);
  for (const row of detections) if (row.score >= state.threshold) counts[row.place] += 1;
  for (const [place, { line, count }] of items.entries()) {
    count.textContent = counts[place];
    line.classList.toggle("nothing", !counts[place] && !trueClasses.has(place));
  }
});

const items = classes.map((one, place) => {
  const box = element("input", { type: "checkbox", autocomplete: "off" });
  box.checked = true;
  box.addEventListener("change", () => { choose([place], box.checked); });
  const count = element("span", { class: "count" });
  const line = element("li", {}, element("label", { title: one.label }, box, swatch(one, place), element("bdi", {}, one.name), count));
  return { line, box, count };
});

function choose(places, on) {
  for (const place of places) {
    items[place].box.checked = on;
    if (on) chosen.add(place);
    else chosen.delete(place);
  }
  showSoon();
}

// Those whose name or label holds what is searched.
function searched() {
  const wanted = byId("search").value.trim().toLowerCase();
  return classes.flatMap((one, place) => (`${one.name}\n${one.label}`.toLowerCase().includes(wanted) ? [place] : []));
}

function chooseClasses() {
  byId("class-list").replaceChildren(...items.map((item) => item.line));
  byId("search").addEventListener("input", () => {
    const places = new Set(searched());
    items.forEach((item, place) => { item.line.hidden = !places.has(place); });
    byId("no-class").hidden = places.size > 0 || !classes.length;
  });
  byId("all").addEventListener("click", () => choose(searched(), true));
  byId("none").addEventListener("click", () => choose(searched(), false));
}

// Another copy of the video, which the reader of the page chooses; one that does not play is as none.
function showCopy() {
  const [file] = byId("copy").files;
  if (!file) return;
  URL.revokeObjectURL(video.src);
  for (const [id, hidden] of [["video", false], ["no-video", true]]) byId(id).hidden = hidden;
  playable = true;
  video.src = URL.createObjectURL(file);
  moveTo(state.time);
}

function chooseCopy() {
  byId("copy").addEventListener("change", showCopy);
  onNoVideo.push(() => { byId("choose").hidden = false; });
}

themeSwitch();
if (video) {
  chooseCopy();
  watchVideo();
}
chooseThreshold(detections.length ? detections[0].score : 0);
chooseClasses();
legend();
byId("length").textContent = length;
show();
listenToTracks();
