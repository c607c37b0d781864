"""Where the videos of a dataset lie: flat, in class folders, with or without a leading `v_`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import UserError

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
)


def index_videos(folder: Path) -> dict[str, list[Path]]:
    """Every video file below a folder, by its name without the ending.

    Raises UserError where the folder does not exist.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of videos; set dataset.videos (or --videos)")
    found: dict[str, list[Path]] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in SUFFIXES:
                found.setdefault(stem, []).append(Path(root, name))
    return found


def find_videos(folder: Path, ids: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
    """The file of each video id, and the ids that have none.

    An id matches a file of its name, or of its name with `v_` put before it or taken away. Raises
    UserError where two files match.
    """
    index = index_videos(folder)
    paths: dict[str, Path] = {}
    missing: list[str] = []
    for video in dict.fromkeys(ids):
        other = video[2:] if video.startswith("v_") else f"v_{video}"
        matches = index.get(video) or index.get(other) or []
        if len(matches) > 1:
            shown = ", ".join(str(path) for path in sorted(matches)[:2])
            raise UserError(f"video {video}: more than one file ({shown}); keep one")
        if matches:
            paths[video] = matches[0]
        else:
            missing.append(video)
    return paths, missing


def require_videos(folder: Path, ids: Iterable[str], allowed: int) -> dict[str, Path]:
    """The files of all ids; at most `allowed` of them may be missing.

    Raises UserError naming the first missing ones and how to go on without them.
    """
    paths, missing = find_videos(folder, ids)
    if len(missing) > allowed:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise UserError(
            f"{folder}: {len(missing)} of {len(missing) + len(paths)} videos are missing ({shown}); "
            f"add them, or go on without with --allow-failures {len(missing)}"
        )
    return paths
