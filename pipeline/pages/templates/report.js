
// The report's videos: one at a time in the tracks (tracks.js), found by search, by rank, or by a mistake.

const rows = data.videos.rows.map(([name, ap, truths, right, found], number) => ({ number, name, ap, truths, right, found }));
const parts = byId("videos") ? JSON.parse(byId("videos").textContent) : new Array(rows.length);
let current = null, asked = null;

// A video as it is packed -> as the tracks take it.
function unpacked([seconds, found, truth, proposed]) {
  const times = ([start = [], length = []]) => ({ start: start.map((at) => at / 1000), end: start.map((at, i) => (at + length[i]) / 1000) });
  const detections = { ...times(found), score: found[2] ?? [], class: found[3] ?? [], verdict: (found[4] ?? []).map((word) => data.words[word]) };
  const true_ = { ...times(truth), class: truth[2] ?? [], found: (truth[3] ?? []).map((by) => (by < 0 ? null : by)) };
  const proposals = { ...times(proposed), score: proposed[2] ?? [] };
  const last = [detections, true_, proposals].flatMap((table) => table.end).reduce((a, b) => Math.max(a, b), Math.max(seconds, 0.001));
  return { span: last, step: data.step, damaged: [], curves: { start: [], end: [] }, detections, truth: true_, proposals };
}

// ---- files of videos beside the page ----

const awaited = new Map(); // file -> functions that go on when it is there

window.takeVideos = (file, first, packed) => {
  packed.forEach((part, i) => { parts[first + i] = part; });
  for (const { done } of awaited.get(file) ?? []) done();
  awaited.delete(file);
};

function loaded(number) {
  if (parts[number]) return Promise.resolve();
  const file = data.videos.files[data.videos.where[number]];
  return new Promise((done, failed) => {
    if (awaited.has(file)) { awaited.get(file).push({ done, failed }); return; }
    awaited.set(file, [{ done, failed }]);
    const script = element("script", { src: `${data.videos.folder}/${file}` });
    script.addEventListener("error", () => {
      for (const one of awaited.get(file) ?? []) one.failed();
      awaited.delete(file);
    });
    document.head.append(script);
  });
}

// ---- one video ----

async function openVideo(number, { at = null, look = false } = {}) {
  const row = rows[number];
  if (!row) return;
  asked = number;
  byId("video-name").textContent = row.name;
  try {
    await loaded(number);
  } catch {
    if (asked === number) byId("video-numbers").textContent = `The rows of this video are in ${data.videos.folder}/, which is not in the folder of this page, or belongs to another report.`;
    return;
  }
  if (asked !== number) return; // someone asked for another meanwhile
  current = number;
  takeVideo(unpacked(parts[number]));
  watchAt(data.videos.paths[number] ?? null, number);
  show();
  scroll.scrollLeft = 0;
  byId("playing").textContent = "";
  for (const [id, place] of Object.entries(data.videos.picks)) byId(id).setAttribute("aria-pressed", String(place === number));
  for (const tr of document.querySelectorAll("#video-table tr.picked")) tr.classList.remove("picked");
  row.line?.classList.add("picked");
  if (look) byId("watch").scrollIntoView({ block: "start" });
  if (at) pickAt(at);
}

// The bar of a mistake: with a threshold that shows it.
function pickAt(mistake) {
  if (mistake.score !== null && mistake.score < state.threshold) { setThreshold(mistake.score); show(); }
  const among = mistake.word === "missed" ? truths : detections;
  const near = (row) => Math.abs(row.start - mistake.start) + Math.abs(row.end - mistake.end) + (row.place === mistake.place ? 0 : 1e6);
  const bar = among.reduce((best, row) => (best === null || near(row) < near(best) ? row : best), null);
  if (bar) pick(bar, { focus: true });
}

function watchAt(url, number) {
  const there = url !== null;
  playable = there;
  video.hidden = !there;
  byId("no-video").hidden = there;
  byId("no-video").textContent = data.videos.paths.length ? "This video is no file that plays." : "The videos are missing: nothing plays.";
  showStills(number, !there);
  byId("beside").classList.toggle("alone", !there && !byId("stills").childElementCount);
  if (there) video.src = url;
  else { video.removeAttribute("src"); video.load(); }
}

onNoVideo.push(() => {
  if (!video.getAttribute("src")) return;
  byId("no-video").textContent = "The video is missing, or in a format this browser does not play.";
  showStills(current, true);
});

// In place of a video that does not play: what there is of its frames.
function showStills(number, wanted) {
  const own = wanted ? data.mistakes.filter((one) => one.video === number && one.frames.length) : [];
  byId("stills").replaceChildren(...own.slice(0, 2).flatMap((one) => one.frames.map((frame) => element("img", { src: frame, alt: "" }))));
}

// ---- which video ----

const field = byId("search"), hits = byId("hits");
let active = -1;

function lookedFor() {
  const wanted = field.value.trim().toLowerCase();
  const found = rows.filter((row) => row.name.toLowerCase().includes(wanted));
  const first = (row) => (row.name.toLowerCase().startsWith(wanted) ? 0 : 1);
  return found.sort((a, b) => first(a) - first(b) || a.number - b.number).slice(0, 10);
}

function showHits(on = true) {
  const found = on ? lookedFor() : [];
  active = Math.min(active, found.length - 1);
  hits.replaceChildren(...found.map((row, place) => {
    const item = element("li", { role: "option", id: `hit-${place}`, "aria-selected": String(place === active) }, element("bdi", {}, row.name), element("span", { class: "count" }, row.truths ? row.ap.toFixed(0) : ""));
    item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(row); });
    return item;
  }));
  if (on && !found.length) hits.append(element("li", { class: "note" }, "no video name contains this"));
  hits.hidden = !on;
  field.setAttribute("aria-expanded", String(on));
  if (active >= 0) field.setAttribute("aria-activedescendant", `hit-${active}`);
  else field.removeAttribute("aria-activedescendant");
}

function take(row) {
  field.value = "";
  active = -1;
  showHits(false);
  field.blur();
  openVideo(row.number);
}

function searchVideos() {
  field.addEventListener("input", () => { active = -1; showHits(); });
  field.addEventListener("focus", () => { active = -1; showHits(); });
  field.addEventListener("blur", () => showHits(false));
  field.addEventListener("keydown", (event) => {
    const found = lookedFor();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      active = (active + (event.key === "ArrowDown" ? 1 : -1) + found.length + 1) % (found.length + 1);
      if (active === found.length) active = -1;
      showHits();
      event.preventDefault();
    } else if (event.key === "Enter" && found.length) take(found[Math.max(active, 0)]);
  });
}

const neighbourVideo = (by) => openVideo(((current ?? 0) + by + rows.length) % rows.length);

function chooseVideos() {
  for (const id of ["worst", "median", "best"]) {
    const place = data.videos.picks[id];
    byId(id).disabled = place === undefined;
    byId(id).addEventListener("click", () => openVideo(place));
  }
  byId("previous").addEventListener("click", () => neighbourVideo(-1));
  byId("next").addEventListener("click", () => neighbourVideo(1));
}

function showVideoTable() {
  const name = (row) => element("button", { type: "button" }, element("bdi", {}, row.name));
  const figure = (title, key) => ({ title, number: true, value: (row) => row[key], cell: (row) => row[key].toLocaleString("en") });
  const columns = [
    { title: "video", value: (row) => row.name, cell: name },
    { title: "AP in it", number: true, value: (row) => (row.truths ? row.ap : -1), cell: (row) => (row.truths ? row.ap.toFixed(1) : "–") },
    figure("truths", "truths"), figure("right", "right"), figure("found", "found"),
  ];
  const show = sortableTable(byId("video-table"), columns, {
    by: 1, down: false, most: 10, more: byId("more-videos"), onPick: (row) => openVideo(row.number, { look: true }),
    mark: (tr, row) => { row.line = tr; tr.classList.toggle("picked", row.number === current); },
  });
  show(rows);
}

// ---- mistakes ----

function card(one) {
  const frames = element("span", { class: "frames" }, ...one.frames.map((frame) => element("img", { src: frame, alt: "", loading: "lazy" })));
  const what = element("span", {}, swatch(classes[one.place], one.place), " ", element("bdi", {}, nameAt(one.place)));
  const more = [one.word, one.score === null ? "" : `score ${score(one.score)}`, `${clock(one.start, 1)} to ${clock(one.end, 1)}`].filter(Boolean).join(" · ");
  const button = element("button", { type: "button" }, ...(one.frames.length ? [frames] : []), what, element("span", { class: "note" }, more), element("bdi", { class: "note" }, rows[one.video].name));
  button.addEventListener("click", () => openVideo(one.video, { at: one, look: true }));
  return element("li", {}, button);
}

function showMistakes() {
  if (!byId("misses")) return;
  const missed = data.mistakes.filter((one) => one.word === "missed");
  const others = data.mistakes.filter((one) => one.word !== "missed");
  for (const [id, some] of [["false-positives", others], ["misses", missed]]) {
    byId(id).replaceChildren(...some.map(card));
    if (!some.length) byId(id).append(element("li", { class: "note" }, "none"));
  }
}

onShow.push((shown) => {
  const right = shown.filter((row) => row.verdict === "right").length, missed = truths.filter(isMissed).length;
  byId("shown").textContent = `${shown.length} of ${detections.length}`;
  const ap = rows[current].truths ? `, the video's AP ${rows[current].ap.toFixed(1)}` : "";
  byId("video-numbers").textContent = `${truths.length} true segments: ${truths.length - missed} found, ${missed} missed; ${shown.length} detections shown: ${right} right, ${shown.length - right} errors${ap}.`;
});

themeSwitch();
watchVideo();
chooseThreshold(data.best);
searchVideos();
chooseVideos();
showPoints();
showMap();
showMistakes();
showClasses();
showOperating();
showRecall();
showDurations();
showTrainings();
showConfusion();
showErrorsBy();
showVideoTable();
hasTruth = true;
legend();
listenToTracks();
onKeys({ "[": () => neighbourVideo(-1), "]": () => neighbourVideo(1) });
openVideo(data.videos.picks.median ?? 0);
