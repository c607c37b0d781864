"""Frames to seconds, for annotations that count frames: at the rate they say, or that of the video."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pipeline.data.annotations.dataset import Inputs
from pipeline.data.remote.videos import RemoteFolder
from pipeline.errors import UsageError, UserError

_GIVE = "set dataset.annotation_fps (tada-loc convert: --fps RATE)"


def frames_to_seconds(
    rows: pd.DataFrame, told: Mapping[str, float], inputs: Inputs, file: Path
) -> pd.DataFrame:
    """The columns start and end of segments (video, start, end) in seconds, given in frames.

    `inputs.fps` comes first, then the rate that the file gives for a video, then that of the video's
    file. Raises UserError if a rate is nowhere.
    """
    rates = _rates(rows["video"].unique(), told, inputs, file)
    of_each = rows["video"].map(rates).astype(float)
    return pd.DataFrame({side: rows[side].astype(float) / of_each for side in ("start", "end")})


def no_frames(inputs: Inputs, file: Path, hint: str = "") -> None:
    """Refuse a rate for a file whose times are seconds. Raises UsageError."""
    if inputs.fps is not None:
        raise UsageError(
            f"dataset.annotation_fps (--fps) {inputs.fps:g}: {file} has no frame numbers; leave the rate "
            f"out{hint}"
        )


def _rates(
    videos: Iterable[str], told: Mapping[str, float], inputs: Inputs, file: Path
) -> dict[str, float]:
    if inputs.fps is not None:
        return dict.fromkeys(videos, inputs.fps)
    rates = {}
    asked = []
    for video in videos:
        rate = told.get(video, math.nan)
        if 0 < rate < math.inf:
            rates[video] = rate
        else:
            asked.append(video)
    return rates | _rates_of_files(asked, inputs.videos, file)


def _rates_of_files(
    videos: list[str], folder: Path | RemoteFolder | None, file: Path
) -> dict[str, float]:
    """The rates that video files say of themselves."""
    if not videos:
        return {}
    from feature_extraction.video.opening import probe
    from feature_extraction.video.reader import VideoError
    from pipeline.data.videos.finding import find_files

    found = find_files(folder, videos) if folder is not None else {}
    where = f"in {folder}" if folder is not None else "named"
    rates = {}
    for video in videos:
        if video not in found:
            raise UserError(
                f"{file}: counts frames of video {video} without a rate, and no such video file is "
                f"{where}; {_GIVE}"
            )
        try:
            rate = probe(found[video], "auto").fps
        except VideoError as error:
            raise UserError(f"{file}: the rate of video {video}: {error}; {_GIVE}") from error
        if not 0 < rate < math.inf:
            raise UserError(f"{file}: video {video} does not state its rate; {_GIVE}")
        rates[video] = rate
    return rates
