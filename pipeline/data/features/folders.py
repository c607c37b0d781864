"""Folders of features made elsewhere: which file is whose, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_extraction.sampling import ClipGrid
from pipeline.data.features.arrays import (
    ARRAY_READERS,
    UnfitError,
    read_array,
    require_readable,
)
from pipeline.errors import UserError
from pipeline.progress import Progress, say
from pipeline.run_folder.identity import file_digest


@dataclass(frozen=True)
class Checked:
    """The files that can be used, by video; a digest of all files; the channels most of them have.

    `problems`: what is wrong, by video or name of a file of no video. `digests`: of each file, by video.
    """

    paths: Mapping[str, Path]
    digests: Mapping[str, str]
    digest: str
    channels: int
    problems: Mapping[str, str]


def check_folder(
    source: Path,
    wanted: Sequence[str],
    durations: Mapping[str, float],
    grid: ClipGrid,
    layout: str,
) -> Checked:
    """Read and check the files of the `wanted` videos in a folder of VIDEO.npy, .npz or .pt.

    `durations` [s] are those of all videos of the annotations, NaN where not known. Arrays are float
    [clips, channels] (`layout` "nc") or [channels, clips] ("cn"). Raises UserError where there is no
    such folder, or two files of one video.
    """
    found, problems = _find(source, wanted, durations.keys())
    digests, channels = _check_all(found, durations, grid, layout, problems)
    paths = {video: path for video, path in found.items() if video not in problems}
    whole = hashlib.sha256("".join(f"{v} {d}\n" for v, d in digests.items()).encode())
    return Checked(paths, digests, whole.hexdigest(), channels, problems)


def _find(
    source: Path, wanted: Sequence[str], known: Collection[str]
) -> tuple[dict[str, Path], dict[str, str]]:
    """The file of each wanted video, and what is wrong by video or file name.

    Files of videos of other subsets are left alone.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such folder of features; see --from")
    paths: dict[str, Path] = {}
    problems: dict[str, str] = {}
    for path in sorted(source.iterdir()):
        if path.suffix not in ARRAY_READERS or path.name.startswith("."):
            continue
        other = path.stem[2:] if path.stem.startswith("v_") else f"v_{path.stem}"
        video = path.stem if path.stem in known else other
        if video not in known:
            problems[path.name] = "of no video of the annotations"
        elif video in paths:
            raise UserError(f"video {video}: more than one file ({paths[video]}, {path}); keep one")
        else:
            paths[video] = path
    others = paths.keys() - set(wanted)
    if others:
        say(f"import-features: {len(others)} files of videos of other subsets or skipped left out")
    problems |= dict.fromkeys((video for video in wanted if video not in paths), "missing")
    return {video: paths[video] for video in wanted if video in paths}, problems


def _check_all(
    paths: Mapping[str, Path],
    durations: Mapping[str, float],
    grid: ClipGrid,
    layout: str,
    problems: dict[str, str],
) -> tuple[dict[str, str], int]:
    """Digest of each file and the channels most of them have; what is wrong goes to `problems`."""
    digests: dict[str, str] = {}
    channels: dict[str, int] = {}
    with Progress(len(paths), "checking features", unit="file") as bar:
        for video, path in paths.items():
            try:
                require_readable(path)
                digests[video] = file_digest(path)
                features = read_array(path, layout)
                _check_length(features, durations[video], grid)
                channels[video] = features.shape[1]
            except UnfitError as error:
                problems[video] = str(error)
            bar.update(1)
    usual = Counter(channels.values()).most_common(1)[0][0] if channels else 0
    problems |= {
        video: f"other than {usual} channels" for video, count in channels.items() if count != usual
    }
    return digests, usual


def _check_length(features: np.ndarray, duration: float, grid: ClipGrid) -> None:
    """Features may end a clip early, as many extractors stop at the last whole clip."""
    if not duration > 0:
        return
    slack = (grid.frames - 1) * grid.interval / grid.fps + 2 * grid.seconds_per_clip
    slack = max(slack, 0.02 * duration)

    def fits(count: int) -> bool:
        return abs(count * grid.seconds_per_clip - duration) <= slack

    if not fits(len(features)):
        turned = fits(features.shape[1])
        hint = "the other --layout fits" if turned else "are --fps and --stride right?"
        raise UnfitError(f"with another length than the video's ({hint})")


def problems_line(problems: Mapping[str, str]) -> str:
    """Problems in one line, counted by what is wrong."""
    groups: dict[str, list[str]] = {}
    for name, reason in problems.items():
        groups.setdefault(reason, []).append(name)
    parts = []
    for reason, names in groups.items():
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        parts.append(f"{len(names)} {reason} ({some})")
    return "; ".join(parts)
