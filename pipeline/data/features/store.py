"""A run's stored features: checked against the configuration, with the times they stand for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feature_extraction.feature_meta import check_expected
from feature_extraction.sampling import ClipGrid
from feature_extraction.store import (
    FeatureFileError,
    FeatureMeta,
    Outline,
    UnreadableFileError,
    feature_path,
    read_features,
    read_outline,
    write_features,
)
from pipeline.data.annotations.dataset import ROUNDING
from pipeline.data.features import FEATURES, IMPORTED
from pipeline.data.features.made import content_of, grid_of
from pipeline.data.features.timed import Features
from pipeline.data.videos.failures import read_failures
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.lengths import Measured
from pipeline.errors import UserError, cannot_read, cannot_write
from pipeline.progress import say
from pipeline.run_folder.files import clear_temporary, remove
from pipeline.run_folder.identity import FileRecord, record_of


class Written(NamedTuple):
    """A feature file as it was written, and the digest of what later stages read of it."""

    file: FileRecord
    content: str


@dataclass(frozen=True)
class FeatureStore:
    """The feature files of a run; `store(video)` gives a video's `Features`.

    `folder` is that of the stage that made them, `made` says how, but for video and duration, and for the
    weights where no classifier is there. With `own_rates` each video has frames per second of its own.
    Files are opened where they are read, so a store may go to other processes.
    """

    folder: Path
    made: FeatureMeta
    own_rates: bool = False
    _outlines: dict[str, Outline] = field(default_factory=dict, compare=False, repr=False)
    _paths: dict[str, Path] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, video: str, clips: slice = slice(None)) -> Features:
        """A video's features, or those of a span of clips (not below 0).

        Raises UserError if the file is missing, damaged or made with other settings.
        """
        with self._refusing():
            array, meta = read_features(self.path(video), self.expected_attributes, span=clips)
        return Features(array, grid_of(meta), meta.source_duration, clips.start or 0)

    @property
    def grid(self) -> ClipGrid:
        """The clip grid of all of them; with `own_rates` one for estimates."""
        return grid_of(self.made)

    @property
    def imported(self) -> bool:
        """Whether they come from elsewhere: the clip grid is then all that is known of them."""
        return self.made.backbone == IMPORTED

    def path(self, video: str) -> Path:
        """The file of a video's features."""
        if video not in self._paths:
            self._paths[video] = feature_path(self.folder / FEATURES, video)
        return self._paths[video]

    def shape(self, video: str) -> tuple[int, int]:
        """How many clips and channels a video's features have. Raises UserError if there are none."""
        try:
            return self._outline(video)[:2]
        except FeatureFileError as error:
            raise UserError(str(error)) from error

    def beginning(self, video: str) -> Features:
        """No clip of a video's features [0, C], but their times. Raises UserError as reading them does."""
        with self._refusing():
            outline = self._outline(video)
            check_expected(self.path(video), outline.meta, self.expected_attributes)
        meta = outline.meta
        nothing = np.empty((0, outline.channels), np.float32)
        return Features(nothing, grid_of(meta), meta.source_duration)

    def _outline(self, video: str) -> Outline:
        """What a video's file is without its features; it is read once."""
        if video not in self._outlines:
            self._outlines[video] = read_outline(self.path(video))
        return self._outlines[video]

    def common_channels(self, videos: Sequence[str]) -> int:
        """The channels of the videos' features, 0 of none. Raises UserError naming a file with others."""
        if not videos:
            return 0
        first = self.shape(videos[0])[1]
        for video in videos:
            channels = self.shape(video)[1]
            if channels != first:
                raise UserError(
                    f"{self.path(video)}: has {channels} channels, that of video {videos[0]} {first}; "
                    "delete the one that is wrong and run `tada-loc extract` again"
                )
        return first

    def lengths(self, videos: Iterable[str]) -> dict[str, Measured]:
        """The length of each video that has features, as these say; those of elsewhere may end a clip early.

        One whose file is damaged or made with other settings has none: what reads it says so.
        """
        found = {}
        for video in dict.fromkeys(videos):
            with contextlib.suppress(UserError):
                if _is_there(self.path(video)):
                    one = self.beginning(video)
                    grid = one.grid  # its own: imported ones may differ in rate
                    clip = ((grid.frames - 1) * grid.interval + 1 + grid.stride) / grid.fps
                    slack = clip if self.imported else ROUNDING
                    found[video] = Measured(one.duration, slack=slack)
        return found

    def available(self, videos: Sequence[str], left_out: LeftOut) -> list[str]:
        """The videos whose features are on disk, without skipped ones; the others are counted and reported.

        Raises UserError when features are missing that are not among the failures the user allowed.
        """
        videos = left_out.without_skipped(videos)
        there = {video for video in videos if _is_there(self.path(video))}
        missing = [video for video in videos if video not in there]
        known = read_failures(self.folder) if missing else {}
        left_out.without_features(missing, self.folder / FEATURES, known)
        return [video for video in videos if video in there]

    def written(self, video: str, identity: str | None) -> Written | None:
        """The record of a file that was not recorded, if it was made as these are, of the video `identity`.

        None if there is none, or it is damaged, or was made differently. An older program's file does not
        say of which video it is, and is taken. Raises UserError if it cannot be read.
        """
        path = self.path(video)
        if not _is_there(path):
            return None
        try:
            array, meta = read_features(path)
        except UnreadableFileError as error:
            raise UserError(str(error)) from error
        except FeatureFileError as error:
            say(f"extract: {error}; made again")
            return None
        wanted = replace(self.made, video=video, source_duration=meta.source_duration)
        if replace(meta, source="") != wanted or (meta.source and meta.source != identity):
            return None
        return Written(record_of(path), content_of(array, meta))

    def save(self, features: np.ndarray, meta: FeatureMeta) -> Written:
        """Write a video's features. Raises UserError if the disk is full or read-only: no video's fault."""
        path = self.path(meta.video)
        self._outlines.pop(meta.video, None)
        try:
            write_features(path, features, meta)
        except OSError as error:
            raise cannot_write(path, error) from error
        return Written(record_of(path), content_of(features, meta))

    def remove(self, video: str) -> None:
        """Remove the features of a video. Raises UserError if the folder cannot be written."""
        self._outlines.pop(video, None)
        remove(self.path(video))

    def clear_temporary(self) -> None:
        """Remove incomplete files that a killed process left."""
        clear_temporary(self.folder / FEATURES)

    @cached_property
    def expected_attributes(self) -> dict[str, object]:
        """The attributes the feature files must have."""
        known = ["clip_frames", "frame_interval", "clip_stride", "clip_shift", "backbone"]
        known += [] if self.own_rates else ["fps"]
        if not self.imported:
            known += ["resize", "crop", "precision"]
            known += ["weights_digest"] if self.made.weights_digest else []
        return {name: getattr(self.made, name) for name in known}

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except UnreadableFileError as error:
            raise UserError(str(error)) from error
        except FeatureFileError as error:
            command = "import-features" if self.imported else "extract"
            raise UserError(f"{error}; run `tada-loc {command}`") from error


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # of a folder that may not be looked into
        raise cannot_read(path, error) from error
