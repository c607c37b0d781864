"""Where the files made from a table go: one per video."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from feature_extraction.store import SUFFIX, FeatureFileError, feature_path
from pipeline.errors import UserError
from pipeline.plain_files import read_json
from pipeline.prediction.found import Prediction

PathLike = str | os.PathLike[str]
Writer = Callable[[Prediction, Path], None]


def a_file_a_video(
    videos: Mapping[str, Prediction], path: PathLike, ending: str, write: Writer
) -> None:
    """Write a file of each video: of one video `path`, of several, or where `path` is a folder, path/VIDEO + ending.

    Raises UserError if `path` is not a folder and there are several videos, and for an id that is not a plain name.
    """
    target = Path(path)
    if len(videos) == 1 and not target.is_dir():
        write(next(iter(videos.values())), target)
        return
    if not videos:
        raise UserError(f"{target}: there is no video to write; the table is empty and knows none")
    if target.name.lower().endswith(ending) or (target.exists() and not target.is_dir()):
        raise UserError(
            f"{target}: a file is of one video, and these are {len(videos)}; give a folder, or choose one: "
            f"found.of({next(iter(videos))!r})"
        )
    paths = {video: _inside(target, video, ending) for video in videos}
    for video, prediction in videos.items():
        write(prediction, paths[video])


def as_read(write: Callable[[Path], None]) -> dict[str, Any]:
    """What the JSON file holds that `write` makes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.json"
        write(path)
        content: dict[str, Any] = read_json(path)
        return content


def _inside(folder: Path, video: str, ending: str) -> Path:
    try:
        path = feature_path(folder, video)
    except FeatureFileError as error:
        raise UserError(str(error)) from error
    return path.with_name(path.name.removesuffix(SUFFIX) + ending)
