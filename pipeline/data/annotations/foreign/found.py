"""What was found in a file of another program: its videos as they are named there, and their segments."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.annotations.parts.names import plain_id


@dataclass(frozen=True)
class FoundVideo:
    """A video as described by a file: seconds and frames per second are NaN where it does not say."""

    written: str
    subset: str | None = None
    duration: float = math.nan
    fps: float = math.nan


@dataclass(frozen=True)
class FoundSegment:
    """A segment of the video with this id, in seconds or (`frames`) from a frame, counted from 0, to the frame after its last."""

    video: str
    start: float
    end: float
    label: str
    where: str
    frames: bool = False


@dataclass
class Found:
    """What is in one file; `notes` counts what was left out or is unusual, by a line that says what.

    `names` are every way a video was written, and its id.
    """

    file: Path
    videos: dict[str, FoundVideo] = field(default_factory=dict)
    segments: list[FoundSegment] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def video(self, written: str, facts: FoundVideo | None = None, *, exact: bool = False) -> str:
        """Note a video, one without segments included, and give its id; `exact`: it is written as the id."""
        video = written.strip() if exact else plain_id(written)
        self.names[written] = video
        before = self.videos.get(video)
        self.videos[video] = _together(before, facts or FoundVideo(written))
        return video

    def add(self, video: str, start: float, end: float, label: str, where: str) -> None:
        """Note a segment in seconds."""
        self._keep(FoundSegment(video, start, end, " ".join(label.split()), where))

    def add_frames(self, video: str, first: float, after: float, label: str, where: str) -> None:
        """Note a segment from frame `first`, counted from 0, to before frame `after`."""
        self._keep(FoundSegment(video, first, after, " ".join(label.split()), where, frames=True))

    def _keep(self, segment: FoundSegment) -> None:
        if segment.label:
            self.segments.append(segment)
        else:
            self.notes["segments without a label, left out"] += 1


def _together(before: FoundVideo | None, now: FoundVideo) -> FoundVideo:
    """The union of two entries of one video, the first preferred."""
    if before is None:
        return now
    return FoundVideo(
        before.written,
        now.subset if before.subset is None else before.subset,
        now.duration if math.isnan(before.duration) else before.duration,
        now.fps if math.isnan(before.fps) else before.fps,
    )
