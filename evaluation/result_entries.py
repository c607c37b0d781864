"""The detections of a result file, some ten thousand at a time, as they stand in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import SubmissionError
from evaluation.json_files import Read, read_result_file
from evaluation.json_stream import JSONStream

ROWS = (
    1 << 15
)  # detections taken together: more, and their objects fill the memory; fewer, and the columns are slow


@dataclass(frozen=True)
class Entries:
    """Some detections of a result file, one after another.

    path: the file; videos: their video ids; counts: int64 [videos], detections a video; rows: the detections as
    the file has them; before: how many of the first video came earlier.
    """

    path: Path
    videos: list[str]
    counts: np.ndarray
    rows: list[dict[str, Any]]
    before: int = 0

    def where(self, row: int) -> str:
        """Name a row as one finds it in the file, its place in its video counted from 0."""
        ends = np.cumsum(self.counts)
        video = int(np.searchsorted(ends, row, side="right"))
        place = row - int(ends[video] - self.counts[video]) + (0 if video else self.before)
        return f"{self.path}: video {self.videos[video]}, row {place}"


@dataclass(frozen=True)
class Contents:
    """What else a result file says: its other keys, its video ids in their order, and detections a video, int64."""

    head: dict[str, Any]
    videos: list[str]
    counts: np.ndarray


def read_entries(path: Path, take: Callable[[Entries], None]) -> Contents:
    """Give the detections of a result file to `take`, at least once, and return what else is in it.

    Raises SubmissionError where it cannot be read, or its form is another, or a video is there twice.
    """
    return read_result_file(path, partial(_go_through, path, take))


def _go_through(path: Path, take: Callable[[Entries], None], read: Read) -> Contents:
    stream, gathered = JSONStream(read), _Gathered(path, take)
    head: dict[str, Any] = {}
    if stream.peek() != "{":
        head["results"] = stream.value()
    else:
        for key in stream.members():
            if key != "results" or stream.peek() != "{":
                head[key] = stream.value()
                continue
            if key in head:
                raise SubmissionError(f'{path}: "results" is there twice; give it once')
            head[key] = {}
            for video in stream.members():
                _take_video(stream, video, gathered)
    stream.end()
    if not isinstance(head.get("results"), dict):
        raise SubmissionError(
            f'{path}: no "results" of the form {{VIDEO: [detection, ...]}} at the top level'
        )
    gathered.hand_on()
    return Contents(head, list(gathered.counts), np.array([*gathered.counts.values()], np.int64))


def _take_video(stream: JSONStream, video: str, gathered: _Gathered) -> None:
    gathered.begin(video)
    if stream.peek() != "[":
        found = type(stream.value()).__name__
        raise SubmissionError(
            f"{gathered.path}: video {video} holds a {found}; give a list of detections"
        )
    for rows in stream.parts():
        gathered.add(video, rows)


class _Gathered:
    """Detections until there are enough of them; `counts`, of all so far, by video."""

    def __init__(self, path: Path, take: Callable[[Entries], None]) -> None:
        self.path, self._take = path, take
        self.counts: dict[str, int] = {}
        self._own: dict[str, int] = {}
        self._rows: list[Any] = []
        self._before = 0

    def begin(self, video: str) -> None:
        if video in self.counts:
            raise SubmissionError(f"{self.path}: video {video} is there twice; give it once")
        self.counts[video] = self._own[video] = 0

    def add(self, video: str, rows: list[Any]) -> None:
        self.counts[video] += len(rows)
        self._own[video] += len(rows)
        self._rows += rows
        if len(self._rows) >= ROWS:
            self.hand_on()
            self._own, self._before = {video: 0}, self.counts[video]

    def hand_on(self) -> None:
        rows, self._rows = self._rows, []
        counts = np.array([*self._own.values()], np.int64)
        entries = Entries(self.path, list(self._own), counts, rows, self._before)
        if not set(map(type, rows)) <= {dict}:
            row = next(place for place, value in enumerate(rows) if not isinstance(value, dict))
            raise SubmissionError(f"{entries.where(row)}: is {rows[row]!r}; give an object")
        self._take(entries)
        self._own, self._before = {}, 0
