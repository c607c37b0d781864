"""Where the videos of a dataset lie: files or folders of frames, flat or in folders, with or without `v_`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from feature_extraction.video.frame_folder import FIRST_FRAME, FrameFolder
from pipeline.data.annotations import Dataset
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError, cannot_read

SUFFIXES = frozenset(
    {
        ".mp4",
        ".mkv",
        ".avi",
        ".mov",
        ".webm",
        ".m4v",
        ".mpg",
        ".mpeg",
        ".ts",
        ".flv",
        ".wmv",
        ".3gp",
    }
)  # in any case
# The frames of EPIC-KITCHENS-100 were taken at one of these, whatever rate the video has.
EPIC_FRAME_RATES = (50.0, 60.0)

Source = Path | FrameFolder


def index_videos(folder: Path) -> dict[str, list[Path]]:
    """Every video below a folder by its name: files without their ending, and folders of frames.

    A folder counts only where no file has its name. Links are followed. Raises UserError where the
    folder does not exist.
    """
    if not is_folder(folder):
        raise UserError(f"{folder}: no such folder of videos; set dataset.videos (or --videos)")
    files: dict[str, list[Path]] = {}
    folders: dict[str, list[Path]] = {}
    for path in _walk(folder, set()):
        if path.suffix.lower() in SUFFIXES:
            files.setdefault(path.stem, []).append(path)
        else:
            folders.setdefault(path.name, []).append(path)
    return folders | files


def is_folder(path: Path) -> bool:
    """Whether there is such a folder. Raises UserError where one may not look."""
    try:
        return path.is_dir()
    except OSError as error:
        raise cannot_read(path, error) from error


def find_videos(
    folder: Path, dataset: Dataset, ids: Iterable[str], frame_fps: float | None = None
) -> tuple[dict[str, Source], list[str]]:
    """The file or the folder of frames of each video id below `folder`, and the ids that have none.

    `frame_fps`: frames a second of folders of frames, where nothing else tells. An id matches what has its name, or its name with `v_` put before it or taken away. Raises
    UserError where two match, and for a folder of frames whose rate nothing tells.
    """
    index = index_videos(folder)
    told = dataset.videos.drop_duplicates("video").set_index("video")[["duration", "fps"]]
    paths: dict[str, Source] = {}
    missing: list[str] = []
    for video in dict.fromkeys(ids):
        other = video[2:] if video.startswith("v_") else f"v_{video}"
        matches = index.get(video) or index.get(other) or []
        if len(matches) > 1:
            shown = ", ".join(str(path) for path in sorted(matches)[:2])
            raise UserError(f"video {video}: more than one file ({shown}); keep one")
        if not matches:
            missing.append(video)
        elif matches[0].is_dir():
            duration, fps = (float(value) for value in told.loc[video])
            paths[video] = _frames(matches[0], video, duration, fps, frame_fps)
        else:
            paths[video] = matches[0]
    return paths, missing


def videos_there(
    folder: Path, dataset: Dataset, ids: Iterable[str], frame_fps: float | None = None
) -> dict[str, Source]:
    """As `find_videos`, those that are there; none where there is no folder. Raises UserError."""
    return find_videos(folder, dataset, ids, frame_fps)[0] if is_folder(folder) else {}


def require_videos(
    folder: Path,
    dataset: Dataset,
    ids: Iterable[str],
    left_out: LeftOut,
    frame_fps: float | None = None,
) -> dict[str, Source]:
    """As `find_videos`: the sources of all ids that have one; the others are counted by `left_out`.

    Raises UserError naming the first missing ones where they are too many.
    """
    paths, missing = find_videos(folder, dataset, ids, frame_fps)
    ending = next((Path(v).stem for v in missing if Path(v).suffix.lower() in SUFFIXES), None)
    hint = f"ids have no file ending: write {ending}; " if ending is not None else ""
    left_out.not_there(missing, len(missing) + len(paths), folder, hint)
    return paths


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Video files and folders of frames; the hundred thousands of frames in one are not listed."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    if (folder / FIRST_FRAME).is_file():
        yield folder
        return
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror})") from error
    for entry in entries:
        # of a link that leads back to itself, `is_dir` raises
        if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
            yield from _walk(Path(entry.path), seen)
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            yield Path(entry.path)


def _frames(
    folder: Path, video: str, duration: float, fps: float, frame_fps: float | None
) -> FrameFolder:
    known = duration if duration > 0 else None
    if frame_fps is not None:
        return FrameFolder(folder, (frame_fps,), known)
    if not fps > 0:
        raise UserError(
            f"{folder}: video {video} is a folder of frames whose rate is not known; set "
            "dataset.frame_fps (tada-loc init: --frame-fps RATE), or dataset.video_info "
            "(EPIC_100_video_info.csv)"
        )
    return FrameFolder(folder, (fps, *EPIC_FRAME_RATES) if known else (fps,), known)
