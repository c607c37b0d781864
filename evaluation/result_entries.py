"""The detections of a result file, some ten thousand at a time, as they are in it.

Those of the common form are decoded by msgspec into objects with typed fields, six times as fast as the standard
library's; any others are its dictionaries, whose checks say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import SubmissionError
from evaluation.json_files import Read, read_result_file
from evaluation.json_stream import Decode, JSONStream

ROWS = (
    1 << 15
)  # detections taken together: more, and their objects fill the memory; fewer, and the columns are slow


_OTHERS = {list, str, int, float, bool, type(None)}  # what else JSON has where an object belongs


@dataclass(frozen=True)
class Entries:
    """Some detections of a result file, one after another.

    path: the file; videos: their video ids; counts: int64 [videos], detections per video; rows: the detections as
    the file has them, all dictionaries or all objects whose fields are of the types that were asked for; before: how many of the first video came earlier.
    """

    path: Path
    videos: list[str]
    counts: np.ndarray
    rows: list[Any]
    before: int = 0

    @property
    def typed(self) -> bool:
        """Whether the rows are objects with typed fields."""
        return bool(self.rows) and not isinstance(self.rows[0], dict)

    def where(self, row: int) -> str:
        """Name a row as one finds it in the file, its place in its video counted from 0."""
        ends = np.cumsum(self.counts)
        video = int(np.searchsorted(ends, row, side="right"))
        place = row - int(ends[video] - self.counts[video]) + (0 if video else self.before)
        return f"{self.path}: video {self.videos[video]}, row {place}"


@dataclass(frozen=True)
class Contents:
    """What else a result file says: its other keys, its video ids in their order, and detections per video, int64."""

    head: dict[str, Any]
    videos: list[str]
    counts: np.ndarray


def read_entries(
    path: Path, fields: Mapping[str, Any], take: Callable[[Entries], None]
) -> Contents:
    """Give the detections of a result file to `take`, at least once, and return what else is in it.

    fields: name -> type of what a detection usually has. Raises SubmissionError if the file cannot be read, or its
    form is another, or a video appears twice.
    """
    gathered = _Gathered(path, take)
    return read_result_file(path, partial(_go_through, path, gathered, _decoder(fields)))


def _decoder(fields: Mapping[str, Any]) -> Decode:
    """Lists of objects with these fields and no others; None for anything else."""
    import msgspec

    row = msgspec.defstruct("Row", list(fields.items()), forbid_unknown_fields=True, gc=False)
    decode = msgspec.json.Decoder(list[row]).decode  # type: ignore[valid-type]

    def rows(text: str) -> list[Any] | None:
        try:
            return decode(text)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            return None

    return rows


def _go_through(path: Path, gathered: _Gathered, decode: Decode, read: Read) -> Contents:
    stream = JSONStream(read)
    head: dict[str, Any] = {}
    if stream.peek() != "{":
        head["results"] = stream.value()
    else:
        for key in stream.members():
            if key != "results" or stream.peek() != "{":
                head[key] = stream.value()
                continue
            if key in head:
                raise SubmissionError(f'{path}: "results" appears twice; give it once')
            head[key] = {}
            for video in stream.members():
                _take_video(stream, video, gathered, decode)
    stream.end()
    if not isinstance(head.get("results"), dict):
        raise SubmissionError(
            f'{path}: no "results" of the form {{VIDEO: [detection, ...]}} at the top level'
        )
    gathered.hand_on()
    return Contents(head, list(gathered.counts), np.array([*gathered.counts.values()], np.int64))


def _take_video(stream: JSONStream, video: str, gathered: _Gathered, decode: Decode) -> None:
    gathered.begin(video)
    if stream.peek() != "[":
        found = type(stream.value()).__name__
        raise SubmissionError(
            f"{gathered.path}: video {video} holds a {found}; give a list of detections"
        )
    for rows in stream.parts(decode):
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
            raise SubmissionError(f"{self.path}: video {video} appears twice; give it once")
        self.counts[video] = self._own[video] = 0

    def add(self, video: str, rows: list[Any]) -> None:
        if self._rows and rows and type(self._rows[-1]) is not type(rows[0]):
            self._hand_on_before(video)
        self.counts[video] += len(rows)
        self._own[video] += len(rows)
        self._rows += rows
        if len(self._rows) >= ROWS:
            self._hand_on_before(video)

    def _hand_on_before(self, video: str) -> None:
        """Hand on what there is; more of this video comes."""
        self.hand_on()
        self._own, self._before = {video: 0}, self.counts[video]

    def hand_on(self) -> None:
        """Give all that is gathered to whom it is for. Raises SubmissionError if one of them is not an object."""
        rows, self._rows = self._rows, []
        counts = np.array([*self._own.values()], np.int64)
        entries = Entries(self.path, list(self._own), counts, rows, self._before)
        if set(map(type, rows)) & _OTHERS:
            row = next(place for place, value in enumerate(rows) if type(value) in _OTHERS)
            raise SubmissionError(f"{entries.where(row)}: is {rows[row]!r}; give an object")
        self._take(entries)
        self._own, self._before = {}, 0
