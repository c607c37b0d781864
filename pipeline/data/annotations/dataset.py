"""What every annotation reader is given, and what it returns: tables of segments and videos, and the classes."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np
import pandas as pd

from pipeline.data.names import one_form, spelled, without_ending
from pipeline.data.remote.videos import RemoteFolder
from pipeline.errors import UserError

LONGEST_ID = 220  # bytes; a file system takes 255, and files made of an id have endings
ROUNDING = 0.1  # seconds, a frame or so: an end so far after the last frame's is not wrong
TEMPORARY = ".tmp-"  # how names of incomplete feature files begin; these are removed
_NO_TEXT = ("Cc", "Cs")  # control characters and half characters, by their Unicode category
_LINE_ENDS = ("Zl", "Zp")  # a --skip file has an id a line


@dataclass(frozen=True)
class Inputs:
    """What the configuration names for a reader; each takes of it what its format has.

    `classes`: the files with class names. `video_info`: about the videos; `videos`: their folder, `fps`: for formats that count frames.
    """

    files: Sequence[Path]
    subsets: tuple[str, str] = ("training", "validation")  # that of training and that of evaluation
    classes: Sequence[Path] = ()
    video_info: Path | None = None
    videos: Path | RemoteFolder | None = None
    fps: float | None = None
    without_segments: bool = False  # whether files with videos and no segment are taken

    def class_file(self) -> Path | None:
        """The file with class names, of a format that takes one. Raises UserError if there are more."""
        if len(self.classes) > 1:
            raise UserError("dataset.classes: give one file with a class name a line")
        return self.classes[0] if self.classes else None


@dataclass(frozen=True)
class Dataset:
    """Annotations as they were written, and what stands around them.

    `annotations`: video, subset, start, end (seconds), label; EPIC-KITCHENS adds int columns verb and
    noun and has "verb,noun" as label. `videos`: video, subset, duration (seconds) and fps, NaN where
    the files do not say. `heads`: class names, one tuple a classifier head: (labels,) or (verbs, nouns).
    `notes`: counts of what was unusual in the files, by a line that says what. `ignored`: labels that are
    not a class: their segments are neither trained on nor evaluated. `excluded`: videos of the files that are not
    part of the data set.
    """

    annotations: pd.DataFrame
    videos: pd.DataFrame
    heads: tuple[tuple[str, ...], ...]
    notes: Counter[str] = field(default_factory=Counter)
    ignored: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int | tuple[int, int]:
        """What `build_backbone` takes: the number of classes, or (verbs, nouns)."""
        sizes = tuple(len(head) for head in self.heads)
        return sizes if len(sizes) == 2 else sizes[0]

    def ordered(self) -> Dataset:
        """The same in an order of its own, so that the order of the files' rows changes nothing."""
        columns = ["video", "start", "end", "label"]
        return replace(
            self,
            annotations=self.annotations.sort_values(columns, kind="stable", ignore_index=True),
            videos=self.videos.sort_values("video", kind="stable", ignore_index=True),
        )

    def all_rows(self, subset: str) -> pd.DataFrame:
        """The segments of a subset, those of ignored labels among them."""
        return self.annotations[self.annotations["subset"] == subset].reset_index(drop=True)

    def rows(self, subset: str) -> pd.DataFrame:
        """The segments of a subset, as annotated, without those of ignored labels."""
        rows = self.all_rows(subset)
        return rows[~rows["label"].isin(self.ignored)].reset_index(drop=True)

    def ignored_rows(self, subset: str) -> pd.DataFrame:
        """The segments of a subset that have an ignored label."""
        rows = self.all_rows(subset)
        return rows[rows["label"].isin(self.ignored)].reset_index(drop=True)

    def video_ids(self, subset: str) -> list[str]:
        """The videos of a subset, in the files' order, those without a segment included."""
        ids: list[str] = self.videos.loc[self.videos["subset"] == subset, "video"].tolist()
        return ids

    @cached_property
    def trainable(self) -> dict[str, tuple[pd.DataFrame, Counter[str]]]:
        """What `training_rows` found, by subset: every stage asks for it."""
        return {}

    def targets(self, rows: pd.DataFrame) -> np.ndarray:
        """Class indices [rows, heads] of segments."""
        if len(self.heads) == 2:
            numbers: np.ndarray = rows[["verb", "noun"]].to_numpy(np.int64)
            return numbers
        index = {name: i for i, name in enumerate(self.heads[0])}
        return np.array([[index[label]] for label in rows["label"]], np.int64).reshape(-1, 1)


def training_rows(
    dataset: Dataset, subset: str, seconds: Mapping[str, float] | None = None
) -> tuple[pd.DataFrame, Counter[str]]:
    """The segments of a subset that can be trained on, and how many were changed or left out, by reason.

    The rule: a segment that ends at or before its start is left out; a repeated row is used once; a
    segment that begins after its video's end is left out, and one that ends after it is cut there;
    segments that overlap another are kept, and counted. A video ends where its annotated duration does, or,
    if that is earlier, where `seconds` says that its file does; ROUNDING after the latter is not cut.
    Evaluation keeps every row as annotated, as the official evaluators do.
    """
    if not seconds and (known := dataset.trainable.get(subset)):
        return known[0].copy(), known[1].copy()
    rows = dataset.rows(subset)
    empty = rows["end"] <= rows["start"]
    counts = Counter({"zero length or end before start, left out": int(empty.sum())})
    rows = rows[~empty]
    repeated = rows.duplicated(["video", "start", "end", "label"])
    counts["duplicate, used once"] = int(repeated.sum())
    rows = rows[~repeated]
    durations = dataset.videos.drop_duplicates("video").set_index("video")["duration"]
    limit = rows["video"].map(durations).astype(float).fillna(math.inf)
    real = rows["video"].map(dict(seconds or {})).astype(float).fillna(math.inf)
    real = real.where(np.isfinite(rows["end"]), math.inf)  # a whole file ends where it does
    behind = (rows["end"] > real + ROUNDING) | (rows["start"] >= real)
    limit = np.minimum(limit, real.where(behind, math.inf))
    beyond = rows["start"] >= limit
    counts["begins after the video's end, left out"] = int(beyond.sum())
    late = (rows["end"] > limit) & ~beyond
    counts["ends after the video's end, cut there"] = int(late.sum())
    rows = rows.assign(end=np.minimum(rows["end"], limit))[~beyond].reset_index(drop=True)
    counts["overlap another of their video, kept"] = _overlapping(rows)
    if not seconds:
        dataset.trainable[subset] = rows.copy(), +counts
    return rows, +counts


def _overlapping(rows: pd.DataFrame) -> int:
    """How many segments share time with another of their video."""
    ordered = rows.sort_values(["video", "start", "end"])
    groups = ordered.groupby("video", sort=False)
    furthest = groups["end"].cummax().groupby(ordered["video"]).shift()
    following = groups["start"].shift(-1)
    return int(((ordered["start"] < furthest) | (following < ordered["end"])).sum())


def check_video_id(video: str, where: str) -> str:
    """Refuse an id that no file of a later stage could have; give it back otherwise.

    Those are names with a folder, of temporary files, and such with characters that end a line or control
    a terminal. Raises UserError naming the file and the id.
    """
    # Surrogates (half characters) cannot be a file name; they are counted here and refused below.
    size = len(one_form(video).encode(errors="surrogatepass"))
    bad = (
        not video
        or video in {".", ".."}
        or video.startswith(TEMPORARY)
        or any(mark in "/\\" for mark in video)
        or _holds(video, _NO_TEXT + _LINE_ENDS)
        or size > LONGEST_ID
    )
    if bad:
        shown = video if len(video) < 80 else video[:77] + "..."
        if "/" in video or "\\" in video:
            plain = without_ending(re.split(r"[/\\]", video)[-1])
            name = f": write {plain}" if plain.strip(".") and not _holds(plain, _NO_TEXT) else ""
            raise UserError(
                f"{where}: video id {shown!r} is not a plain file name, it contains a folder{name} (videos are "
                "found in all folders below dataset.videos)"
            )
        long = f" ({size} bytes; at most {LONGEST_ID})" if size > LONGEST_ID else ""
        raise UserError(
            f"{where}: video id {shown!r}{long} is not a plain file name; rename the video"
        )
    return video


def in_one_form(dataset: Dataset, where: str) -> Dataset:
    """The same with each id in canonical form of Unicode (NFC), whatever a file's or a Mac's is.

    Raises UserError naming two ids that become one.
    """
    if all(video.isascii() for video in dataset.videos["video"]):
        return dataset
    written: dict[str, str] = {}
    for video in dataset.videos["video"]:
        other = written.setdefault(one_form(video), video)
        if other != video:
            raise UserError(
                f"{where}: video ids {spelled(other)!r} and {spelled(video)!r} are one name in two "
                "forms of Unicode; use one of them"
            )
    return replace(
        dataset,
        annotations=dataset.annotations.assign(video=dataset.annotations["video"].map(one_form)),
        videos=dataset.videos.assign(video=dataset.videos["video"].map(one_form)),
    )


def check_label(label: str, where: str) -> str:
    """Refuse a label that no table or result file gives back as it is; give it back otherwise.

    Raises UserError naming the file and the label.
    """
    if not label.strip():
        raise UserError(f"{where}: label {label!r} is empty; name the class")
    if _holds(label, _NO_TEXT):
        shown = label if len(label) < 80 else label[:77] + "..."
        raise UserError(
            f"{where}: label {shown!r} is not plain text (a tab, a line end or another control "
            "character is in it); remove it"
        )
    return label


def _holds(text: str, categories: tuple[str, ...]) -> bool:
    return not text.isprintable() and any(category(mark) in categories for mark in text)


def check_times(start: float, end: float, where: str) -> None:
    """Refuse times that are negative, NaN or infinite.

    Raises UserError naming the row and the times.
    """
    if not (math.isfinite(start) and math.isfinite(end)) or start < 0 or end < 0:
        raise UserError(f"{where}: start {start}, end {end}: times must be seconds, 0 or more")


def segments_frame(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """A segment table with fixed columns and float times, also when there are no rows."""
    frame = pd.DataFrame(list(rows), columns=list(columns))
    return frame.astype({"start": float, "end": float})
