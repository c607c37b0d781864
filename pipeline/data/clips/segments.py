"""Trimmed segments of the annotations: where they are, their classes and the files they are read from."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from feature_extraction.video.reader import Reader
from pipeline.data.videos.finding import Source

SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
CLOCKWISE = re.compile(r"\bclockwise\b", re.IGNORECASE)
COUNTER = re.compile(r"\b(counter|anti)[ -]?(?=clockwise\b)", re.IGNORECASE)
COUNTER_WORDS = tuple(w + gap + "clockwise" for w in ("counter", "anti") for gap in ("-", "", " "))


@dataclass(frozen=True)
class Segments:
    """Segments to read clips of: times in seconds, class indices [n, heads] and video files.

    `shapes` [n]: segments of one number have frames of one shape; None if that does not matter.
    `takes_parts`: whether clips in damaged parts of videos are left out and counted, or are failures of their
    videos (False; None if no key would change it). `rates`, `lengths`: frames per second and seconds of videos
    that are read from proxies.
    """

    videos: Sequence[str]
    starts: np.ndarray
    ends: np.ndarray
    targets: np.ndarray
    paths: Mapping[str, Source]
    mirrored: np.ndarray | None = None  # the class each class is in the mirror
    shapes: np.ndarray | None = None
    takes_parts: bool | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    lengths: Mapping[str, float] = field(default_factory=dict)

    def rate(self, index: int, reader: Reader) -> float:
        """Frames per second of a segment's video as its file says, 0 where it does not; of a proxy, its source's."""
        return self.rates.get(self.videos[index], reader.info.fps)

    def __len__(self) -> int:
        return len(self.videos)

    def only(self, keep: np.ndarray) -> Segments:
        """Those segments that a mask [n] keeps."""
        return replace(
            self,
            videos=[video for video, kept in zip(self.videos, keep, strict=True) if kept],
            starts=self.starts[keep],
            ends=self.ends[keep],
            targets=self.targets[keep],
            shapes=None if self.shapes is None else self.shapes[keep],
        )


def segments_digest(segments: Segments) -> str:
    """What distinguishes one list of training segments from another, the shapes that make batches included."""
    state = hashlib.sha256("\0".join(segments.videos).encode())
    for table in (segments.starts, segments.ends, segments.targets):
        state.update(np.ascontiguousarray(table).tobytes())
    if segments.shapes is not None:
        state.update(b"shapes" + np.ascontiguousarray(segments.shapes, dtype=np.int64).tobytes())
    return state.hexdigest()


def make_segments(
    rows: pd.DataFrame,
    targets: np.ndarray,
    paths: Mapping[str, Source],
    takes_parts: bool | None = None,
) -> Segments:
    """Segments of an annotation table whose videos were found."""
    keep = rows["video"].isin(list(paths)).to_numpy()
    rows = rows[keep]
    return Segments(
        rows["video"].tolist(),
        rows["start"].to_numpy(float),
        rows["end"].to_numpy(float),
        targets[keep],
        dict(paths),
        takes_parts=takes_parts,
    )


def span_of(segments: Segments, index: int, reader: Reader) -> tuple[float, float]:
    """Seconds a segment runs from and to; of a trimmed file that is all of it, whatever a proxy of it says."""
    start, end = float(segments.starts[index]), float(segments.ends[index])
    if math.isfinite(end):
        return start, end
    if (length := segments.lengths.get(segments.videos[index])) is not None:
        return start, length
    if reader.info.duration is None:
        for _ in reader.frames_at([math.inf]):
            pass
        assert reader.end_time is not None  # a pass to the end determines it
        return start, reader.end_time
    return start, reader.info.duration


def mirrored_classes(names: Sequence[str]) -> np.ndarray:
    """The class each class is in the mirror, else itself.

    That with left and right exchanged, in the same case, and clockwise with counter-clockwise (or
    anti-clockwise), in any case.
    """
    numbers = {name: number for number, name in enumerate(names)}
    folded = {name.lower(): number for number, name in reversed(list(enumerate(names)))}

    def mirrors(name: str) -> list[str]:
        sides = SIDE.sub(_other_side, name)
        if COUNTER.search(sides):
            return [COUNTER.sub("", sides)]
        turned = [CLOCKWISE.sub(word, sides) for word in COUNTER_WORDS]
        return [*turned, sides] if CLOCKWISE.search(sides) else [sides]

    def mirror(name: str, number: int) -> int:
        any_case = folded if "clockwise" in name.lower() else {}
        for other in mirrors(name):
            if other.lower() != name.lower():
                number = numbers.get(other, any_case.get(other.lower(), number))
            if number != numbers[name]:
                break
        return number

    return np.array([mirror(name, number) for name, number in numbers.items()])


def _other_side(match: re.Match[str]) -> str:
    """Right for left and left for right, written as the word found."""
    other = "right" if match[0].lower() == "left" else "left"
    if match[0].isupper():
        return other.upper()
    return other.capitalize() if match[0].istitle() else other
