"""The videos of a report, packed small: inside the page, or in files beside it that the page loads one by one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.pages.rendering import embedded_json
from pipeline.pages.report_values import Videos
from pipeline.pages.thinning import best_rows
from pipeline.pages.verdicts import RIGHT

MOST_EMBEDDED = 4_000_000  # bytes of videos in the page itself; with more they go into files
FILE_BYTES = 400_000  # of a file of videos, about
MOST_ROWS = 500  # detections of a video, the best
MOST_PROPOSALS = 100
OURS = re.compile(r"\d{4,}-[0-9a-f]{12}\.js")  # what a file of videos is called


@dataclass(frozen=True)
class Shown:
    """A video of the list: its number, its AP at the report's tIoU (percent), counts of its rows."""

    video: str
    ap: float
    truths: int
    right: int
    found: int


@dataclass(frozen=True)
class Packed:
    """What the page holds about its videos: `listed` in the order of ids, `inside` JSON of them all, or else files.

    `files`: name -> text, of scripts; `where`: the file of each video, by its place in `names`.
    """

    listed: Sequence[Shown]
    inside: str | None
    names: Sequence[str]
    where: Sequence[int]
    files: Mapping[str, str]
    cut: int  # videos with more rows than are shown


def pack(
    videos: Videos, places: Mapping[str, int], words: Sequence[str], threshold: float
) -> Packed:
    """All videos. `places`: the number of each label; `words`: all words there are; `threshold`: the score from
    which detections count in the list."""
    texts = [embedded_json(part) for part in _parts(videos, places, words)]
    listed = _listed(videos, threshold)
    cut = int((videos.detections["video"].value_counts() > MOST_ROWS).sum())
    if sum(map(len, texts)) <= MOST_EMBEDDED:
        return Packed(listed, f"[{','.join(texts)}]", (), (), {}, cut)
    names, where, files = _in_files(texts)
    return Packed(listed, None, names, where, files, cut)


def _in_files(texts: Sequence[str]) -> tuple[list[str], list[int], dict[str, str]]:
    """Scripts of about FILE_BYTES, named by their content: another report's file is never mistaken for one of this."""
    groups: list[list[str]] = [[]]
    where = []
    for text in texts:
        if groups[-1] and sum(map(len, groups[-1])) + len(text) > FILE_BYTES:
            groups.append([])
        where.append(len(groups) - 1)
        groups[-1].append(text)
    files, names, first = {}, [], 0
    for number, group in enumerate(groups):
        body = ",".join(group)
        name = f"{number:04d}-{hashlib.sha256(body.encode()).hexdigest()[:12]}.js"
        files[name] = f'takeVideos("{name}",{first},[{body}]);\n'
        names.append(name)
        first += len(group)
    return names, where, files


def _listed(videos: Videos, threshold: float) -> list[Shown]:
    found, truth = videos.detections, videos.truth
    right = (found["word"] == RIGHT).to_numpy(bool)
    shown = found["score"].to_numpy(float) >= threshold
    counts = [
        pd.Series(column).value_counts()
        for column in (truth["video"], found["video"][shown & right], found["video"][shown])
    ]
    precision = video_precision(found, truth, right)
    return [
        Shown(video, 100 * precision.get(video, 0.0), *(int(count.get(video, 0)) for count in counts))
        for video in videos.ids
    ]  # fmt: skip


def video_precision(
    detections: pd.DataFrame, truth: pd.DataFrame, right: np.ndarray
) -> dict[str, float]:
    """Average precision of each video with ground truth, all its classes together; fractions of 1.

    right: bool [N], the detections that take a ground truth.
    """
    order = np.lexsort((-detections["score"].to_numpy(float), pd.factorize(detections["video"])[0]))
    truths = truth["video"].value_counts()
    result = dict.fromkeys(map(str, truths.index), 0.0)
    names, hits = detections["video"].to_numpy(object)[order], right[order]
    edges = np.flatnonzero(names[1:] != names[:-1]) + 1
    for part in np.split(np.arange(len(names)), edges):
        if not len(part) or names[part[0]] not in result:
            continue
        ranks = np.flatnonzero(hits[part])
        precision = (np.arange(len(ranks)) + 1) / (ranks + 1)
        best = np.maximum.accumulate(precision[::-1])
        result[names[part[0]]] = float(best.sum() / truths[names[part[0]]])
    return result


def _parts(videos: Videos, places: Mapping[str, int], words: Sequence[str]) -> Iterator[Any]:
    """Each video's rows: times in milliseconds, labels and words by number."""
    numbers = {word: number for number, word in enumerate(words)}
    found, truth = videos.detections, videos.truth
    found_rows = _by_video(
        found.assign(place=found["label"].map(places), word=found["word"].map(numbers))
    )
    true_rows = _by_video(truth.assign(place=truth["label"].map(places)))
    proposed = {} if videos.proposals is None else _by_video(videos.proposals)
    for video in videos.ids:
        detections = _best(found_rows.get(video), MOST_ROWS)
        own = true_rows.get(video)
        tables = [detections, own, _best(proposed.get(video), MOST_PROPOSALS)]
        part: list[list[Any]] = [[] if table is None else _times(table) for table in tables]
        if detections is not None:
            numbered = [list(map(int, detections[name])) for name in ("place", "word")]
            part[0] += [_scores(detections["score"]), *numbered]
        if own is not None:
            found_by = [-1 if score != score else score for score in _scores(own["found_by"])]
            part[1] += [list(map(int, own["place"])), found_by]
        if tables[2] is not None:
            part[2].append(_scores(tables[2]["score"]))
        yield [round(videos.seconds.get(video, 0.0), 3), *part]


def _by_video(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(video): rows for video, rows in table.groupby("video", sort=False)}


def _best(table: pd.DataFrame | None, most: int) -> pd.DataFrame | None:
    return None if table is None else best_rows(table, most)


def _times(table: pd.DataFrame) -> list[list[int]]:
    """Starts and lengths in milliseconds."""
    start = (1000 * table["start"].to_numpy(float)).round().astype(np.int64)
    end = (1000 * table["end"].to_numpy(float)).round().astype(np.int64)
    return [start.tolist(), (end - start).tolist()]


def _scores(scores: pd.Series) -> list[float]:
    """Four significant digits, as short as possible."""
    return [float(f"{score:.4g}") for score in scores.to_numpy(float)]
