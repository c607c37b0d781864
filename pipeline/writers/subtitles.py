"""Subtitles that say which actions run: SubRip (.srt) and WebVTT (.vtt).

Detections overlap, and players show one cue at a time well: time is cut where a detection begins or ends, and
each piece shows those that run in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.prediction.found import Prediction
from pipeline.prediction.playing import browser_begins, player_begins
from pipeline.run_folder.files import write_text
from pipeline.writers.labels import one_line

LINES = 3  # of a cue, the best detections
SHORTEST = 80  # milliseconds of a cue, two frames or so
# SubRip has no escapes: what players take for tags or for an arrow stands in letters that look so.
_SRT = str.maketrans({"<": "\u2039", ">": "\u203a", "{": "\u2774", "}": "\u2775"})
_VTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
Cue = tuple[int, int, tuple[str, ...]]  # start and end in milliseconds, and the lines


def write_srt(prediction: Prediction, path: Path) -> None:
    """Write a video's detections as SubRip subtitles, without any as an empty file; times are those of players.

    Raises UserError if the file cannot be written.
    """
    cues = cues_of(prediction)
    texts = [
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n"
        + "\n".join(lines).translate(_SRT)
        for number, (start, end, lines) in enumerate(
            _later(cues, player_begins(prediction)), start=1
        )
    ]
    write_text(path, "".join(f"{text}\n\n" for text in texts))


def write_vtt(prediction: Prediction, path: Path) -> None:
    """Write a video's detections as WebVTT subtitles, without any as a file without cues; times are those of browsers.

    Raises UserError if the file cannot be written.
    """
    cues = cues_of(prediction)
    texts = [
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n" + "\n".join(lines).translate(_VTT)
        for start, end, lines in _later(cues, browser_begins(prediction))
    ]
    write_text(path, "WEBVTT\n" + "".join(f"\n{text}\n" for text in texts))


def cues_of(prediction: Prediction) -> list[Cue]:
    """The cues in order of time: none overlaps another, each lasts SHORTEST at least and has LINES lines at most.

    A line is the name of an action and its score; of one action that is found several times, the best stands. Cuts
    that lie closer than SHORTEST are one, the first.
    """
    rows = prediction.detections.sort_values("score", ascending=False, kind="stable")
    if rows.empty:
        return []
    end_of_video = prediction.duration * 1000 if math.isfinite(prediction.duration) else math.inf
    spans = np.array([_span(s, e, end_of_video) for s, e in rows[["start", "end"]].to_numpy(float)])
    cuts = _apart(np.unique(spans))
    first, after = (np.searchsorted(cuts, side, side="right") - 1 for side in spans.T)
    codes, labels = rows["label"].factorize()
    best = _best_of_pieces(first, after, codes, len(cuts) - 1)
    scores = rows["score"].tolist()
    names = [one_line(prediction.name_of(label)) for label in labels]
    texts = [f"{names[code]} {score:.2g}" for code, score in zip(codes, scores, strict=True)]
    shown = [tuple(texts[row] for row in piece if row >= 0) for piece in best.tolist()]
    return list(_joined(cuts.tolist(), shown))


def _later(cues: list[Cue], seconds: float) -> Iterator[Cue]:
    """The cues of a video whose first frame is shown so late."""
    shift = round(seconds * 1000)
    return ((start + shift, end + shift, lines) for start, end, lines in cues)


def _span(start: float, end: float, end_of_video: float) -> tuple[int, int]:
    """Start and end in milliseconds, SHORTEST apart at least: before the video's end where there is room."""
    first, after = round(start * 1000), round(end * 1000)
    if after - first < SHORTEST:
        first = max(0, min(first, int(min(end_of_video, 1e15)) - SHORTEST))
        after = max(after, first + SHORTEST)
    return first, after


def _apart(times: np.ndarray) -> np.ndarray:
    """Of sorted times those that are SHORTEST after the one kept before.

    What spans SHORTEST begins and ends at different ones: its end is kept, or another within it.
    """
    kept = [int(times[0])]
    for time in times[1:].tolist():
        if time - kept[-1] >= SHORTEST:
            kept.append(time)
    return np.array(kept)


def _best_of_pieces(
    first: np.ndarray, after: np.ndarray, codes: np.ndarray, pieces: int
) -> np.ndarray:
    """The detections (rows, best first) that each piece shows, int [pieces, LINES], -1 where there is none."""
    rows = np.full((pieces, LINES), -1)
    shown = np.full((pieces, LINES), -1)
    count = np.zeros(pieces, np.int64)
    for row, (begin, end, code) in enumerate(zip(first, after, codes, strict=True)):
        free = (count[begin:end] < LINES) & (shown[begin:end] != code).all(axis=1)
        places = begin + np.flatnonzero(free)
        rows[places, count[places]] = row
        shown[places, count[places]] = code
        count[places] += 1
    return rows


def _joined(cuts: list[int], shown: list[tuple[str, ...]]) -> Iterator[Cue]:
    """Pieces that follow one another and show the same are one; those that show nothing are none."""
    places = groupby(range(len(shown)), key=shown.__getitem__)
    for lines, group in places:
        same = list(group)
        if lines:
            yield cuts[same[0]], cuts[same[-1] + 1], lines


def _clock(time: int, point: str) -> str:
    seconds, rest = divmod(time, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"
