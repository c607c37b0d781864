"""Where the videos of a dataset are: files or folders of frames, flat or in folders, with or without `v_`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feature_extraction.frame_listing import FrameNamesError, chosen_set, list_folder
from feature_extraction.video.frame_folder import FrameFolder
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.urls import Url
from pipeline.data.annotations.dataset import Dataset
from pipeline.data.names import (
    PREVIEWS,
    VIDEO_ENDINGS,
    one_form,
    other_prefix,
    require_one_each,
    split_ending,
    without_ending,
)
from pipeline.data.remote.videos import (
    RemoteFolder,
    RemoteVideo,
    UnlistedError,
    folder_of,
    through_cache,
)
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.near_misses import near_misses
from pipeline.errors import UserError, cannot_read
from pipeline.progress import say

# The frames of EPIC-KITCHENS-100 were taken at one of these, whatever rate the video has.
EPIC_FRAME_RATES = (50.0, 60.0)
_USUAL_FIRST = "frame_0000000001.jpg"  # of theirs: such a folder need not be listed

Source = Path | FrameFolder | RemoteVideo  # what stages read
_Found = Path | RemoteVideo


@dataclass
class _Index:
    """What is below a folder, by name in canonical form: video files without their ending, folders of frames.

    `wanted`: names a video may have; only a folder with one of them is looked at for frames. `pattern`:
    how frames are named; None: as the numbered pictures that are there.
    """

    wanted: frozenset[str]
    pattern: str | None = None
    files: dict[str, list[_Found]] = field(default_factory=dict)
    folders: dict[str, list[_Found]] = field(default_factory=dict)

    def of(self, video: str) -> list[_Found]:
        """Everything that may be meant by an id; files go before folders, and the id as it is before `v_`."""
        for name in (video, other_prefix(video)):
            if found := self._named(name):
                return found
        stem = without_ending(video)
        if stem == video:
            return []
        ending = split_ending(video)[1]
        found = self.of(stem)
        return [path for path in found if path.suffix.lower() == ending] or found

    def _named(self, name: str) -> list[_Found]:
        files = self.files.get(name, [])
        first = [path for path in files if path.suffix.lower() not in PREVIEWS]
        return first or files or self.folders.get(name, [])


def is_folder(path: Path | Url) -> bool:
    """Whether there is such a folder; of an address this is not asked. Raises UserError if one may not look."""
    try:
        return isinstance(path, Url) or path.is_dir()
    except OSError as error:
        raise cannot_read(Path(path), error) from error


def find_videos(
    settings: DatasetSettings, dataset: Dataset, ids: Iterable[str]
) -> tuple[dict[str, Source], list[str]]:
    """The file or the folder of frames of each video id below `dataset.videos`, and the ids that have none.

    Folders of frames are as `dataset.frame_fps` and `dataset.frames` say. An id matches what has its name, in any form of
    Unicode and with or without the ending of a video, or its name with `v_` put before it or taken away. Raises
    UserError if the folder does not exist, two files match an id or two ids a file, and for a folder of frames
    whose rate is unknown or whose frames are of several patterns.
    """
    folder, pattern = settings.videos, settings.frames
    if not is_folder(folder):
        raise UserError(f"{folder}: no such folder of videos; set dataset.videos (or --videos)")
    ids = list(dict.fromkeys(ids))
    found, of_frames = _found(folder_of(settings), ids, pattern)
    _require_one_set(of_frames, pattern)
    told = dataset.videos.drop_duplicates("video").set_index("video")[["duration", "fps"]]
    sources: dict[str, Source] = dict(through_cache(found, settings))
    for video, path in of_frames.items():
        duration, fps = (float(value) for value in told.loc[video])
        rates, known = _rates(path, video, duration, fps, settings.frame_fps)
        sources[video] = FrameFolder(path, rates, known, pattern)
    return sources, [video for video in ids if video not in found]


def find_files(folder: Path | RemoteFolder, ids: Iterable[str]) -> dict[str, _Found]:
    """The video file of each id that has one below a folder, which may be missing; not folders of frames.

    Raises UserError if two files match an id or two ids a file.
    """
    if isinstance(folder, Path) and not is_folder(folder):
        return {}
    found, _ = _found(folder, list(dict.fromkeys(ids)), None)
    return {v: path for v, path in found.items() if isinstance(path, RemoteVideo) or path.is_file()}


def videos_there(
    settings: DatasetSettings, dataset: Dataset, ids: Iterable[str]
) -> dict[str, Source]:
    """As `find_videos`, those that are there; none where there is no folder, or no store answers. Raises UserError."""
    try:
        return find_videos(settings, dataset, ids)[0] if is_folder(settings.videos) else {}
    except UnlistedError as error:
        say(f"{error.message}; assuming that its videos are unchanged")
        return {}


def require_videos(
    settings: DatasetSettings, dataset: Dataset, ids: Iterable[str], left_out: LeftOut
) -> dict[str, Source]:
    """As `find_videos`: the sources of all ids that have one; the others are counted by `left_out`.

    Raises UserError naming the first missing ones where they are too many, and what is there in their place.
    """
    paths, missing = find_videos(settings, dataset, ids)
    hint = ""
    if len(missing) > left_out.allowed:
        near = near_misses(settings.videos, missing, settings.frames)
        hint = f"{near}; " * bool(near)
    left_out.not_there(missing, len(missing) + len(paths), settings.videos, hint)
    return paths


def _walk(folder: Path, index: _Index, seen: set[str]) -> None:
    """Put the video files and the folders of frames below a folder into the index; links are followed.

    The hundred thousands of frames in a folder are listed once, and not looked at one by one.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        name = without_ending(one_form(folder.name))
        wanted = name in index.wanted
        frames = wanted and _holds_frames(folder, index.pattern)
        if not frames and (folder / _USUAL_FIRST).is_file():
            return  # of a video that is not asked for, or not of the pattern
        if frames and not list_folder(folder).has_others:
            index.folders.setdefault(name, []).append(folder)
            return
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror})") from error
    files = _videos_and_folders(folder, entries, index, seen)
    # pictures beside a video are its previews, unless their pattern is asked for
    if frames and (index.pattern is not None or not files):
        index.folders.setdefault(name, []).append(folder)


def _videos_and_folders(
    folder: Path, entries: Iterable[os.DirEntry[str]], index: _Index, seen: set[str]
) -> int:
    """Index the files of a folder, walk the folders in it; how many video files there are."""
    count = 0
    for entry in entries:
        # of a link that leads back to itself, `is_dir` raises
        if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
            _walk(folder / entry.name, index, seen)
            continue
        stem, ending = split_ending(entry.name)
        if ending in VIDEO_ENDINGS and not (entry.is_symlink() and not os.path.exists(entry.path)):
            index.files.setdefault(one_form(stem), []).append(folder / entry.name)
            count += 1
    return count


def _holds_frames(folder: Path, pattern: str | None) -> bool:
    try:
        return (
            bool(list_folder(folder).sets) if pattern is None else bool(chosen_set(folder, pattern))
        )
    except FrameNamesError:
        return False


def _require_one_set(folders: Mapping[str, Path], pattern: str | None) -> None:
    """Refuse folders with frames of several patterns where none is asked for."""
    if pattern is not None:
        return
    several = [path for path in folders.values() if len(list_folder(path).sets) > 1]
    if several:
        listing = list_folder(several[0])
        more = f" (and so do {len(several) - 1} more folders)" if len(several) > 1 else ""
        raise UserError(
            f"{several[0]}: holds frames of {len(listing.sets)} patterns, {listing.shown()}{more}; choose "
            f"one with dataset.frames={listing.sets[0].pattern} (tada-loc init: --frames), or keep one"
        )


def _rates(
    folder: Path, video: str, duration: float, fps: float, frame_fps: float | None
) -> tuple[tuple[float, ...], float | None]:
    """The rates that a folder of frames may have, and how long its video is, where that is known."""
    known = duration if duration > 0 else None
    if frame_fps is not None:
        return (frame_fps,), known
    if not fps > 0:
        raise UserError(
            f"{folder}: video {video} is a folder of frames whose rate is not known; set "
            "dataset.frame_fps (tada-loc init: --frame-fps RATE), or dataset.video_info "
            "(EPIC_100_video_info.csv)"
        )
    return (fps, *EPIC_FRAME_RATES) if known else (fps,), known


def _found(
    folder: Path | RemoteFolder, ids: Sequence[str], pattern: str | None
) -> tuple[dict[str, _Found], dict[str, Path]]:
    """What is meant by each id that is there, and those of them that are folders of frames."""
    forms = {one_form(video) for video in ids}
    forms |= {without_ending(name) for name in forms}
    index = _Index(frozenset(forms | {other_prefix(name) for name in forms}), pattern)
    if isinstance(folder, Path):
        _walk(folder, index, set())
    else:
        for file in folder.files():
            stem, ending = split_ending(file.name)
            if ending in VIDEO_ENDINGS:
                index.files.setdefault(one_form(stem), []).append(file)
    matches = {video: index.of(one_form(video)) for video in ids}
    require_one_each({video: paths for video, paths in matches.items() if paths})
    found = {video: paths[0] for video, paths in matches.items() if paths}
    folders = {path for paths in index.folders.values() for path in paths}
    return found, {
        v: path for v, path in found.items() if isinstance(path, Path) and path in folders
    }
