
// A video's tracks on one scale of time (truth, found, proposals, start and end), the video that follows, and what is
// shown of them: a threshold, keys and clicks. A page gives the video to `takeVideo`, and hears of it in `onShow`.

const { classes } = data;
const EDGE = 8, GAP = 14, AXIS = 22, LEAST = 560, WIDEST = 100000; // pixels
const WORDS = { "right": "right", "wrong label": "wrong", "both": "wrong", "boundaries off": "off", "twice": "nothing", "nothing there": "nothing" };
const MARKS = { right: "✓ ", wrong: "✗ ", off: "↔ " };

// Rows of a table of columns, as objects that also hold the bar they are drawn with.
function rowsOf(table, kind) {
  return table.start.map((start, row) => ({
    kind, start, end: table.end[row], place: table.class?.[row], score: table.score?.[row],
    verdict: table.verdict?.[row], found: table.found?.[row],
  }));
}
let span = 1, step = 1, begins = 0, length = "", damaged = [], curves = { start: [], end: [] };
let detections = [], proposals = [], truths = [], hasTruth = false;
const chosen = new Set(classes.keys());
const state = { threshold: data.threshold, zoom: 1, time: 0, target: 0, until: null, picked: null, printing: false };
const onShow = []; // functions of the detections shown
const onNoVideo = []; // functions that say that the video does not play
const nameOf = (row) => (row.place === undefined ? "proposal" : classes[row.place].name);
const isMissed = (truth) => truth.found === null || truth.found < state.threshold;
const shownDetections = () => detections.filter((row) => row.score >= state.threshold && chosen.has(row.place));
const shownTruths = () => truths.filter((row) => chosen.has(row.place));

// "0:02.6", "0:00.10", "6:03": the shorter a video, the more of its seconds mean something.
const lengthOf = (seconds) => clock(seconds, seconds < 1 ? 2 : seconds < 60 && seconds % 1 ? 1 : 0);

// Take a video in place of the one there was; `show` then draws it.
function takeVideo(one) {
  ({ span, step, damaged, curves } = one);
  begins = one.begins ?? 0;
  length = lengthOf(one.duration ?? span);
  detections = rowsOf(one.detections, "detection"); // best first
  proposals = rowsOf(one.proposals, "proposal");
  hasTruth = Boolean(one.truth);
  truths = hasTruth ? rowsOf(one.truth, "truth").sort((a, b) => a.start - b.start) : [];
  for (const row of [...detections, ...proposals, ...truths]) makeBar(row);
  Object.assign(state, { zoom: 1, time: 0, target: 0, until: null, picked: null });
  width = 0;
}

// ---- the video, or the line of the time alone ----

const video = byId("video");
let playable = video !== null;
// Times of the page count from the first frame. A browser's begin where the file's clock does: with the sound, say.
const shownAt = (time) => time + begins;
const pageTime = () => Math.max(video.currentTime - begins, 0);

function withoutVideo() {
  // A video that is not where it was may be beside the page: both were moved into one folder.
  const url = video.getAttribute("src") ?? "", beside = url.split("/").at(-1);
  if (beside && beside !== url && !url.startsWith("blob:")) {
    video.src = beside;
    return;
  }
  playable = false;
  video.hidden = true;
  byId("no-video").hidden = false;
  for (const hear of onNoVideo) hear();
}

function moveTo(time, until = null) {
  state.time = state.target = Math.min(Math.max(time, 0), span);
  state.until = until;
  if (playable) video.currentTime = shownAt(state.time);
  showTime();
}

function toggle() {
  if (!playable) return;
  if (video.paused) video.play().catch(() => {}); // the error event says what there is to say
  else video.pause();
}

// Go to a bar; play it to its end if asked.
function pick(row, { play = false, focus = false } = {}) {
  state.picked?.bar?.classList.remove("picked");
  state.picked = row;
  row.bar.classList.add("picked");
  moveTo(row.start, row.end);
  if (play && playable) video.play().catch(() => {});
  if (focus) row.bar.focus({ preventScroll: true });
  byId("playing").textContent = `· ${nameOf(row)} ${clock(row.start, 2)}–${clock(row.end, 2)}`;
  for (const tr of document.querySelectorAll("tr.picked")) tr.classList.remove("picked");
  row.line?.classList.add("picked");
  keepInView(state.time);
}

function followVideo() {
  state.time = pageTime();
  if (state.until !== null && !video.paused && !video.seeking && state.time >= state.until) {
    video.pause();
    state.until = null;
  }
  showTime();
  if (!video.paused) keepInView(state.time);
}

function watchVideo() {
  const frame = () => {
    followVideo();
    if (!video.paused && !video.ended) requestAnimationFrame(frame);
  };
  video.addEventListener("play", () => requestAnimationFrame(frame));
  for (const name of ["timeupdate", "seeked", "pause"]) video.addEventListener(name, followVideo);
  // Someone who moves the video by its own slider leaves the part that was playing.
  video.addEventListener("seeking", () => { if (Math.abs(pageTime() - state.target) > 0.05) state.until = null; });
  video.addEventListener("error", withoutVideo);
  if (video.error) withoutVideo(); // the error came before we listened
}

// ---- drawing ----

const tracks = byId("tracks"), names = byId("names"), scroll = byId("scroll");
const head = drawn("line", { id: "head", y1: 0 });
let width = 0;
const x = (time) => EDGE + (time / span) * (width - 2 * EDGE);

// The width of a text of bars, in pixels.
const ruler = document.createElement("canvas").getContext("2d");
ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
const widths = new Map();
function textWidth(text) {
  if (!widths.has(text)) widths.set(text, ruler.measureText(text).width);
  return widths.get(text);
}

// As much of a text as fits, from its beginning; nothing where hardly a letter does.
function fitting(text, room) {
  if (textWidth(text) <= room) return text;
  const letters = Array.from(text).slice(0, Math.ceil(room / 3));
  while (letters.length && ruler.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return letters.length > 2 ? `${letters.join("")}…` : "";
}

function wordOf(row) {
  if (row.kind === "truth") return isMissed(row) ? "missed" : "found";
  return row.verdict;
}

function said(row) {
  const parts = [`${nameOf(row)}, ${clock(row.start, 2)} to ${clock(row.end, 2)}`];
  if (row.kind === "truth") parts.unshift("truth");
  if (row.score !== undefined) parts.push(`score ${score(row.score)}`);
  if (wordOf(row)) parts.push(wordOf(row));
  return parts.join(", ");
}

function makeBar(row) {
  row.bar = drawn("g", { class: `bar ${row.kind}`, role: "button", tabindex: row.kind === "proposal" ? -1 : 0 });
  row.bar.row = row;
}

function drawBar(row, y, height) {
  const left = x(row.start);
  const box = { x: left, y, width: Math.max(x(row.end) - left, 2), height, rx: Math.min(2, height / 3) };
  const look = row.kind === "truth" && isMissed(row) ? "missed" : WORDS[row.verdict] ?? "";
  row.bar.setAttribute("class", `bar ${row.kind} ${look} ${box.width < 8 ? "thin" : ""} ${row === state.picked ? "picked" : ""}`);
  row.bar.setAttribute("aria-label", said(row));
  row.bar.replaceChildren(drawn("title", {}, said(row)));
  if (row.place === undefined) {
    row.bar.append(drawn("rect", { ...box, rx: 0, class: "box" }));
    return;
  }
  const one = classes[row.place];
  row.bar.append(...classBar(one, row.place, box));
  if (look === "missed" && !one.hatch) row.bar.append(drawn("rect", { ...box, class: "hatch" }));
  const mark = MARKS[look] ?? "", room = box.width - 8;
  const text = height < 15 ? "" : fitting(mark + one.name, room) || fitting(mark.trim(), room + 4);
  if (!text) return;
  const label = drawn("text", { x: left + 5, y: y + height / 2 + 4 }, text);
  label.style.fill = one.ink;
  label.style.stroke = one.fill;
  row.bar.append(label);
}

// Overlapping rows one below the other: each, in this order, in the first line that is free at its place. So a
// lower threshold adds bars, and moves none.
function stacked(rows) {
  const lines = [];
  return rows.map((row) => {
    const free = (line) => !line.some((other) => other.start < row.end && row.start < other.end);
    let place = lines.findIndex(free);
    if (place < 0) place = lines.push([]) - 1;
    lines[place].push(row);
    return place;
  });
}

function barTrack(id, rows, y) {
  const places = stacked(rows);
  const count = Math.max(1, ...places.map((place) => place + 1));
  const pitch = Math.min(22, Math.max(5, 264 / count));
  rows.forEach((row, i) => drawBar(row, y + places[i] * pitch, pitch - (pitch > 12 ? 4 : 1)));
  const inTime = [...rows].sort((a, b) => a.start - b.start || a.end - b.end);
  return [drawn("g", { id }, ...inTime.map((row) => row.bar)), count * pitch];
}

// What hangs on the width alone: drawn at the top, and moved to its place.
function proposalTrack() {
  const height = 48;
  const best = Math.max(1, ...proposals.map((row) => row.score));
  for (const row of proposals) {
    const tall = Math.max(2, (height * row.score) / best);
    drawBar(row, height - tall, tall);
  }
  if (proposals.length) proposals[0].bar.setAttribute("tabindex", 0);
  const floor = drawn("line", { class: "rule", x1: 0, x2: width, y1: height, y2: height });
  return [drawn("g", { id: "proposals" }, floor, ...proposals.map((row) => row.bar)), height];
}

function curveTrack() {
  const height = 48, group = drawn("g", { id: "curves" });
  group.append(drawn("line", { class: "rule", x1: 0, x2: width, y1: height, y2: height }));
  for (const name of ["end", "start"]) {
    const points = [];
    const point = (time, value) => points.push(`${x(time).toFixed(1)},${(height * (1 - value)).toFixed(1)}`);
    for (let i = 0; i < curves[name].length; i += 2) point(curves[name][i], curves[name][i + 1]);
    if (points.length === 1) { // a video of one position: a line as long as it
      points.pop();
      for (const time of [0, span]) point(time, curves[name][1]);
    }
    group.append(drawn("polyline", { class: `curve ${name}`, points: points.join(" ") }));
  }
  return [group, height];
}

function axis(height) {
  const group = drawn("g", { id: "axis" });
  const every = timeStep((span * 80) / Math.max(width, 1));
  const digits = every < 1 ? 1 : 0;
  for (const [start, end] of damaged) {
    const box = { x: x(start), y: AXIS - 6, width: Math.max(x(end) - x(start), 2), height: 6, class: "damaged" };
    group.append(drawn("rect", box, drawn("title", {}, `did not decode: ${clock(start, 2)} to ${clock(end, 2)}`)));
  }
  for (let i = 0; i * every <= span; i++) {
    const at = x(i * every);
    group.append(drawn("line", { class: "rule", x1: at, x2: at, y1: AXIS - 4, y2: height }));
    const end = at > width - 30;
    group.append(drawn("text", { x: end ? width - 1 : at, y: 12, "text-anchor": i === 0 ? "start" : end ? "end" : "middle" }, clock(i * every, digits)));
  }
  return group;
}

let still = []; // the tracks that hang on the width alone

function setWidth() {
  const room = Math.max(scroll.clientWidth, LEAST);
  const wanted = state.printing ? LEAST : Math.round(Math.min(room * state.zoom, Math.max(WIDEST, room)));
  if (wanted === width) return;
  width = wanted;
  still = data.without?.includes("proposals") ? [] : [["proposals", proposalTrack(), ""]];
  if (curves.start.length) still.push(["start ─", curveTrack(), "end ┄"]);
}

function draw() {
  const held = document.activeElement;
  setWidth();
  let y = AXIS + 4;
  const parts = [], titles = [];
  const add = (title, [group, height], below = "") => {
    parts.push(group);
    titles.push(drawn("text", { x: 0, y: y + 13 }, title), drawn("text", { x: 0, y: y + 29 }, below));
    y += height + GAP;
  };
  if (hasTruth) add("truth", barTrack("truth", shownTruths(), y));
  add("found", barTrack("found", shownDetections(), y));
  for (const [title, track, below] of still) {
    track[0].setAttribute("transform", `translate(0 ${y})`);
    add(title, track, below);
  }
  tracks.replaceChildren(hatches(classes), axis(y - 4), ...parts, head);
  for (const [svg, wide] of [[tracks, width], [names, 76]]) {
    svg.setAttribute("width", wide);
    svg.setAttribute("height", y);
  }
  names.replaceChildren(...titles);
  head.setAttribute("y2", y);
  if (held !== document.activeElement && held?.isConnected) held.focus({ preventScroll: true });
  showTime();
}

function showTime() {
  const at = x(state.time);
  head.setAttribute("x1", at);
  head.setAttribute("x2", at);
  byId("now").textContent = `${clock(state.time, 2)} of ${length}`;
}

function keepInView(time) {
  const at = x(time), left = scroll.scrollLeft, room = scroll.clientWidth;
  if (at < left + 20 || at > left + room - 20) scroll.scrollLeft = at - room * 0.15;
}

function zoomTo(zoom) {
  const at = (x(state.time) - scroll.scrollLeft) / Math.max(scroll.clientWidth, 1);
  const within = at >= 0 && at <= 1 ? at : 0.5;
  const centre = within === at ? state.time : ((scroll.scrollLeft + scroll.clientWidth / 2 - EDGE) / (width - 2 * EDGE)) * span;
  state.zoom = Math.min(Math.max(zoom, 1), WIDEST / Math.max(scroll.clientWidth, LEAST));
  draw();
  scroll.scrollLeft = x(centre) - within * scroll.clientWidth;
}

// ---- what is shown ----

const slider = byId("threshold"), number = byId("threshold-number");

function show() {
  const shown = shownDetections();
  draw();
  for (const hear of onShow) hear(shown);
}

let waiting = false;
function showSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; show(); });
}

function setThreshold(value, from) {
  if (!Number.isFinite(value)) return; // an empty field, while someone types
  state.threshold = value;
  if (from !== slider) slider.value = value;
  if (from !== number) number.value = score(value);
  showSoon();
}

// The slider goes up to the score `best`; 0: there are no detections.
function chooseThreshold(best) {
  slider.max = number.max = best || 1;
  slider.disabled = number.disabled = !best;
  slider.addEventListener("input", () => setThreshold(Number(slider.value), slider));
  number.addEventListener("input", () => setThreshold(number.value === "" ? NaN : Number(number.value), number));
  number.addEventListener("change", () => setThreshold(state.threshold));
  slider.value = data.threshold;
  number.value = score(data.threshold);
}

// ---- clicks and keys ----

// The next or previous error (where there is a truth) or detection, after the one picked last, or after the time.
function jump(by) {
  const shown = shownDetections();
  const wanted = hasTruth ? [...shown.filter((row) => row.verdict !== "right"), ...shownTruths().filter(isMissed)] : shown;
  wanted.sort((a, b) => a.start - b.start || a.end - b.end || (a.score ?? 0) - (b.score ?? 0));
  if (!wanted.length) return;
  let place = wanted.indexOf(state.picked);
  if (place < 0) place = by > 0 ? wanted.findIndex((row) => row.start >= state.time) - 1 : wanted.findLastIndex((row) => row.start < state.time) + 1;
  if (place === -2) return; // none comes after this time
  const next = wanted[place + by];
  if (next) pick(next, { focus: true });
}

// From bar to bar of a track.
function neighbour(event, by) {
  const bar = event.target.closest?.(".bar[role=button]");
  if (!bar) return false;
  const bars = [...bar.parentNode.querySelectorAll(".bar[role=button]")];
  if (bar.row.kind === "proposal") bars.sort((a, b) => a.row.start - b.row.start || a.row.end - b.row.end);
  const next = bars[bars.indexOf(bar) + by];
  next?.focus();
  if (next) keepInView(next.row.start);
  return true;
}

function press(event) {
  const bar = event.target.closest?.(".bar[role=button]");
  if (bar) pick(bar.row, { play: true });
  else if (event.key === " ") toggle();
  else return false; // enter on something else
  return true;
}

const stepBy = (event, by) => moveTo(state.time + by * step * (event.shiftKey ? 10 : 1));

function listenToTracks() {
  onKeys({
    " ": press, Enter: press,
    ArrowLeft: (event) => stepBy(event, -1), ArrowRight: (event) => stepBy(event, 1),
    ArrowUp: (event) => neighbour(event, -1), ArrowDown: (event) => neighbour(event, 1),
    n: () => jump(1), p: () => jump(-1),
    "/": () => { byId("search").focus(); byId("search").select(); },
    "+": () => zoomTo(state.zoom * 2), "-": () => zoomTo(state.zoom / 2), "0": () => zoomTo(1),
  });
  tracks.addEventListener("click", (event) => {
    const bar = event.target.closest(".bar");
    if (bar) pick(bar.row, { play: true });
    else moveTo(((event.clientX - tracks.getBoundingClientRect().left - EDGE) / (width - 2 * EDGE)) * span);
  });
  byId("zoom-in").addEventListener("click", () => zoomTo(state.zoom * 2));
  byId("zoom-out").addEventListener("click", () => zoomTo(state.zoom / 2));
  byId("zoom-fit").addEventListener("click", () => zoomTo(1));
  new ResizeObserver(() => { const before = width; setWidth(); if (width !== before) draw(); }).observe(scroll);
  matchMedia("print").addEventListener("change", (event) => printed(event.matches));
  addEventListener("beforeprint", () => printed(true));
  addEventListener("afterprint", () => printed(false));
}

function legend() {
  if (!hasTruth) return;
  const one = { fill: "var(--soft)", hatch: 0 };
  const words = { right: `✓ right (tIoU ≥ ${data.tiou})`, wrong: "✗ wrong label, or both", off: "↔ boundaries off", nothing: "twice, or nothing there", missed: "missed" };
  for (const [look, text] of Object.entries(words)) {
    const sign = swatch(one, 0);
    sign.setAttribute("class", `bar ${look}`);
    if (look === "missed") sign.append(drawn("rect", { x: 1, y: 1, width: 16, height: 10, class: "hatch" }));
    byId("legend").append(element("span", {}, sign, text));
  }
}

function printed(on) {
  if (on === state.printing) return;
  state.printing = on;
  draw();
}
