"""The report page: how good, what costs the points, the videos, the classes, the details."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.colours import looks_of
from pipeline.errors import UserError
from pipeline.pages.paging import MOST_ROWS, OURS, Packed, pack
from pipeline.pages.rendering import address, render
from pipeline.pages.report_values import ClassRow, Durations, MapRow, Mistake, Operating, Report
from pipeline.pages.thinning import short, spread
from pipeline.printing import printable
from pipeline.run_folder.files import remove, write_text

PAGE = "index.html"
FOLDER = "videos"  # beside the page
_MADE_OF = re.compile(rb'<meta name="made-of" content="([^"]*)">')
_CURVE_POINTS = 300
_CLASS_POINTS = 60  # of a class's precision over recall
_MOST_CURVES = 400  # classes that have one
_BINS = 40


def write_report_page(report: Report, folder: Path) -> Path:
    """Write `index.html`, and files of videos where there are many, and give the path of the page.

    The page appears last, whole; files of an earlier report that it does not load are then removed. Raises UserError if
    the folder cannot be written, or holds another `index.html`.
    """
    if (folder / PAGE).exists() and made_of(folder / PAGE) is None:
        raise UserError(
            f"{folder / PAGE}: already exists and is not a report; give another folder (--to)"
        )
    packed, text = report_page(report)
    for name, script in packed.files.items():
        write_text(folder / FOLDER / name, script)
    write_text(page := folder / PAGE, text)
    for path in sorted((folder / FOLDER).glob("*.js")):
        if OURS.fullmatch(path.name) and path.name not in packed.files:
            remove(path)
    with contextlib.suppress(OSError):  # of a report with many videos, and now without a file
        (folder / FOLDER).rmdir()
    return page


def made_of(page: Path) -> str | None:
    """What a page that exists there was made from (`Report.made_of`); None if there is none of ours."""
    try:
        with page.open("rb") as stream:
            found = _MADE_OF.search(stream.read(4096))
    except OSError:
        return None
    return None if found is None else unescape(found[1].decode("utf-8", "replace"))


def report_page(report: Report) -> tuple[Packed, str]:
    """The page as text, and the files of videos that it loads."""
    labels = sorted(
        {*report.videos.truth["label"], *report.videos.detections["label"], *_named(report)},
        key=lambda label: (report.names.get(label, label).casefold(), label),
    )
    places = {label: place for place, label in enumerate(labels)}
    threshold = short([report.found.threshold])[0]
    packed = pack(report.videos, places, report.found.words, threshold)
    without = list(report.without)
    if packed.cut:
        without.append(
            f"To stay small, the page holds the best {MOST_ROWS} detections of {packed.cut:,} videos that have more."
        )
    text = render(
        "report.html.j2",
        scripts=("common.js", "tracks.js", "charts.js", "sections.js", "report.js"),
        data=_data(report, packed, labels, places, threshold),
        embedded={} if packed.inside is None else {"videos": packed.inside},
        loads=packed.inside is None,
        title=printable(report.title),
        about=[printable(part) for part in report.about],
        numbers=[(f"number-{place}", *one) for place, one in enumerate(report.numbers)],
        report=report,
        without=without,
    )
    return packed, text


def _named(report: Report) -> set[str]:
    """The labels that a part of the report names beside its tables."""
    named = {row.label for row in report.found.classes} | {one.label for one in report.mistakes}
    named |= {row.confused[0] for row in report.found.classes if row.confused is not None}
    return named | (
        set(report.found.confusion.labels) if report.found.confusion is not None else set()
    )


def _data(
    report: Report, packed: Packed, labels: list[str], places: Mapping[str, int], threshold: float
) -> dict[str, Any]:
    """What the scripts draw."""
    looks = looks_of(labels, report.all_labels)
    detections = report.videos.detections
    return {
        "tiou": report.found.tiou,
        "words": list(report.found.words),
        "without": ["proposals"] if report.videos.proposals is None else [],
        "threshold": threshold,
        "best": short([detections["score"].max()])[0] if len(detections) else 0,
        "step": max(round(report.videos.step, 4), 0.001),
        "classes": [
            {"label": label, "name": report.names.get(label, label), **vars(looks[label])}
            for label in labels
        ],
        "maps": {"iou": short(report.iou), "rows": list(map(_map_row, report.maps))},
        "errors": [vars(bar) for bar in report.found.errors],
        "errorsBy": [
            {"title": group.title, "unit": group.unit, "bars": [vars(bar) for bar in group.bars]}
            for group in report.found.errors_by
        ],
        "stages": [vars(bar) for bar in report.stages],
        "operating": _operating(report.found.operating),
        "rows": [_class_row(row, places, number) for number, row in enumerate(report.found.classes)],
        "confusion": _confusion(report, places),
        "recall": _rounded(report.recall),
        "trainings": [
            {"name": one.name, "epochs": list(one.epochs), "rate": list(one.rate), "losses": dict(one.losses),
             "validation": {name: _rounded(values) for name, values in one.validation.items()}}
            for one in report.trainings
        ],
        "durations": _durations(report.durations),
        "mistakes": [_mistake(one, places, report.videos.ids) for one in report.mistakes],
        "videos": _videos(report, packed),
    }  # fmt: skip


def _map_row(row: MapRow) -> dict[str, Any]:
    average = _rounded([row.average])[0]
    return {"name": row.name, "values": _rounded(row.values), "ours": row.ours, "average": average}


def _videos(report: Report, packed: Packed) -> dict[str, Any]:
    videos = report.videos
    ranked = [number for number, shown in enumerate(packed.listed) if shown.truths]
    ranked.sort(key=lambda number: (packed.listed[number].ap, packed.listed[number].truths))
    picks = dict(zip(("worst", "median", "best"), _picks(ranked), strict=False))
    return {
        "rows": [
            [shown.video, round(shown.ap, 1), shown.truths, shown.right, shown.found]
            for shown in packed.listed
        ],
        "paths": [
            address(videos.paths[video]) if video in videos.paths else None for video in videos.ids
        ] if videos.paths else [],
        "picks": picks,
        "folder": FOLDER,
        "files": list(packed.names),
        "where": list(packed.where),
    }  # fmt: skip


def _picks(ranked: list[int]) -> list[int]:
    return [ranked[0], ranked[len(ranked) // 2], ranked[-1]] if ranked else []


def _operating(one: Operating | None) -> dict[str, Any] | None:
    if one is None or not len(one.score):
        return None
    kept = spread(np.asarray(one.score, float), _CURVE_POINTS, one.best)
    columns = {
        name: _rounded(np.asarray(getattr(one, name), float)[kept])
        for name in ("precision", "recall", "f1")
    }
    return {
        "score": short(np.asarray(one.score)[kept]),
        **columns,
        "best": int(np.flatnonzero(kept == one.best)[0]),
    }


def _class_row(row: ClassRow, places: Mapping[str, int], number: int) -> dict[str, Any]:
    recall, precision = (np.asarray(values, float) for values in row.curve)
    kept = np.unique(np.linspace(0, max(len(recall) - 1, 0), _CLASS_POINTS).round().astype(int))
    kept = kept[: len(recall)] if number < _MOST_CURVES else kept[:0]
    return {
        "place": places[row.label],
        "ap": round(row.ap, 2),
        "average": round(row.average, 2),
        "truths": row.truths,
        "found": row.found,
        "precision": round(row.precision, 2),
        "recall": round(row.recall, 2),
        "score": None if row.score is None else short([row.score])[0],
        "confused": None if row.confused is None else [places[row.confused[0]], row.confused[1]],
        "curve": [_rounded(recall[kept]), _rounded(precision[kept])],
    }


def _confusion(report: Report, places: Mapping[str, int]) -> dict[str, Any] | None:
    one = report.found.confusion
    if one is None or not len(one.labels):
        return None
    counts = np.asarray(one.counts).astype(int).tolist()
    return {"places": [places[label] for label in one.labels], "counts": counts}


def _durations(one: Durations | None) -> dict[str, Any] | None:
    """A histogram, its bins of equal ratios: actions of a second appear beside those of minutes."""
    if one is None or not len(one.seconds):
        return None
    seconds = np.maximum(np.asarray(one.seconds, float), 0.01)
    limits = [limit for limit in (one.shortest, one.longest) if limit]
    low, high = min([seconds.min(), *limits]), max([seconds.max(), *limits])
    edges = np.geomspace(low * 0.95, max(high * 1.05, low * 1.2), _BINS + 1)
    counts = np.histogram(seconds, edges)[0]
    return {
        "edges": short(edges),
        "counts": counts.tolist(),
        "shortest": one.shortest,
        "longest": one.longest,
    }


def _mistake(one: Mistake, places: Mapping[str, int], ids: Sequence[str]) -> dict[str, Any]:
    return {
        "video": list(ids).index(one.video),
        "start": round(one.start, 3),
        "end": round(one.end, 3),
        "place": places[one.label],
        "score": None if one.score is None else short([one.score])[0],
        "word": one.word,
        "frames": [
            f"data:image/jpeg;base64,{base64.b64encode(frame).decode()}" for frame in one.frames
        ],
    }


def _rounded(values: Sequence[float | None] | np.ndarray) -> list[float | None]:
    return [None if value is None or value != value else round(float(value), 2) for value in values]
