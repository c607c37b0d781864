"""A run's features out to other detectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from feature_extraction.sampling import ClipGrid
from pipeline.data.features import IMPORTED
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.run_folder.files import atomic_path, write_json
from pipeline.run_folder.identity import named
from pipeline.runs.run import Run
from pipeline.runs.states import feature_faults

GRID_FILE = "grid.json"


def export_features(run: Run, target: Path) -> None:
    """Write `target`/VIDEO.npy float32 [clips, C] of every video of both subsets, and grid.json.

    Raises UserError if features are missing, damaged, or not what would be made now.
    """
    _require_current(run)
    videos: dict[str, dict[str, object]] = {}
    channels = 0
    left_out = run.left_out("extract", of="export-features")
    for subset in run.subsets:
        for video in run.features.available(run.dataset.video_ids(subset), left_out):
            features = run.features(video)
            path = target / f"{video}.npy"
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, features.array, allow_pickle=False)
            channels = features.array.shape[1]
            videos[video] = {
                "subset": subset,
                "duration": features.duration,
                "features": len(features),
                **({"fps": features.grid.fps} if run.features.own_rates else {}),
            }
    backbone = IMPORTED if run.has_imported_features else run.config.backbone.title
    write_json(target / GRID_FILE, _grid(run.features.grid, channels, backbone, videos))
    say(
        f"export-features: {len(videos)} videos, {channels} channels, in {target}; the grid in {GRID_FILE}"
    )
    if (line := _cut_offset(run.features.grid)) is not None:
        say(f"export-features: {line}")


def _require_current(run: Run) -> None:
    """Refuse features that are there and not current. Raises UserError."""
    faults = feature_faults(run.facts(ahead=True))
    wrong = {video: why for video, why in faults.items() if why != "missing"}
    if wrong:
        first, reason = next(iter(wrong.items()))
        again = (
            "import them again (tada-loc import-features)"
            if run.has_imported_features
            else "run `tada-loc extract` first"
        )
        raise UserError(
            f"{run.features.path(first)}: {reason}, as are features of {len(wrong)} videos in all "
            f"({named(wrong)}); {again}"
        )


def _cut_offset(grid: ClipGrid) -> str | None:
    """What OpenTAD, which cuts offset_frames to a whole number, does to the times of features; None if nothing."""
    centre = grid.first_center
    lost = centre - int(centre)
    if not lost:
        return None
    return (
        f"OpenTAD cuts offset_frames {centre:g} to {int(centre)}: its times are {lost:g} frames "
        f"{'earlier' if lost > 0 else 'later'} than ours"
    )


def _grid(
    grid: ClipGrid, channels: int, backbone: str, videos: Mapping[str, Mapping[str, object]]
) -> dict[str, object]:
    centre = grid.first_center
    own = any("fps" in video for video in videos.values())
    fps = None if own else grid.fps
    middle = f"(i * stride + {centre:g})" if grid.shift else "(i + 0.5) * stride"
    return {
        "format": "float32 [features, channels], one VIDEO.npy per video",
        "fps": fps,
        "clip_frames": grid.frames,
        "frame_interval": grid.interval,
        "stride": grid.stride,
        "seconds_per_feature": None if own else grid.seconds_per_clip,
        "centre_of_feature_i": f"{middle} / fps seconds" + (", fps of the video" if own else ""),
        "centre_of_feature_0": None if own else centre / grid.fps,
        "channels": channels,
        "backbone": backbone,
        # The settings these detectors need to get the same times as ours. ActionFormer places feature i
        # at (i * feat_stride + num_frames / 2) / fps, OpenTAD at (i * stride + offset_frames) / fps; its BMN
        # starts a cell there, whose middle is half a stride later.
        "actionformer": {
            "feat_stride": grid.stride,
            "num_frames": 2 * centre if grid.shift else grid.stride,
            "default_fps": fps,
            "input_dim": channels,
            "file_ext": ".npy",
        },
        "opentad": {
            "feature_stride": grid.stride,
            "sample_stride": 1,
            "offset_frames": centre,
            "offset_frames_bmn": centre - grid.stride / 2,
            "fps": fps,
            "in_channels": channels,
        },
        "videos": videos,
    }
