"""What a finished run with BMN holds of one video, from its frames to its detections, for the picture of all stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from feature_extraction.elsewhere import Elsewhere
from feature_extraction.sampling import ClipGrid
from feature_extraction.video.opening import open_video
from pipeline.data.windows.positions import video_input
from pipeline.errors import UserError
from pipeline.results.classification.class_scores import Parts
from pipeline.results.proposing import video_maps
from pipeline.results.tables import read_part
from pipeline.runs.found import detections_of
from pipeline.runs.graph import row
from pipeline.runs.run import Run
from pipeline.training.networks.bmn import load_network


@dataclass(frozen=True)
class Shown:
    """A video and what each stage made of it.

    frames: uint8 [F, H, W, 3], the middles of F equal parts; grid: the clips; features: float32 [clips, C];
    times, start, end: [L], seconds of BMN's positions and the probabilities there; confidence: [D, L], by duration and
    start; step: seconds of a position; proposals: video, start, end, score; scores: [proposals, classes]; truth, found:
    start, end, label (and score); classes: names in the order of the scores.
    """

    video: str
    seconds: float
    frames: np.ndarray
    grid: ClipGrid
    features: np.ndarray
    times: np.ndarray
    start: np.ndarray
    end: np.ndarray
    confidence: np.ndarray
    step: float
    proposals: pd.DataFrame
    scores: np.ndarray
    truth: pd.DataFrame
    found: pd.DataFrame
    classes: tuple[str, ...]


def shown_of(run: Run, video: str, frames: int) -> Shown:
    """All of one evaluated video, with so many frames. Raises UserError where the run has another head or no such video."""
    config = run.detection
    if config.detector.name != "bmn" or len(run.dataset.heads) != 1:
        raise UserError(
            f"{run.folder}: the picture shows BMN and labels; take a run such as the demo"
        )
    if video not in run.dataset.video_ids(run.subsets[1]):
        raise UserError(f"{run.folder}: evaluates no video {video}")
    features = run.features(video)
    seen = video_input(features, config.bmn)
    network = load_network(config.bmn, features.array.shape[1], run.folder, run.device)
    maps = video_maps(network, seen, config.bmn, run.device)
    start, end, cells = (np.asarray(part, np.float32) for part in maps)
    places = np.arange(len(start) + 1)
    edges = seen.grid.to_seconds(places)
    detections, truth = detections_of(run), run.dataset.rows(run.subsets[1])
    folder = run.path("classify")
    return Shown(
        video=video,
        seconds=features.duration,
        frames=_frames(run, video, features.duration, frames),
        grid=features.grid,
        features=features.array,
        times=(edges[:-1] + edges[1:]) / 2,
        start=start,
        end=end,
        confidence=cells[0] * cells[1],
        step=float(edges[1] - edges[0]),
        proposals=read_part(run.path("proposals") / row("proposals").part_of(video), video),
        scores=Parts(folder, "", {}).read(video)[0],
        truth=truth[truth["video"] == video],
        found=detections[detections["video"] == video],
        classes=tuple(run.dataset.heads[0]),
    )


def _frames(run: Run, video: str, seconds: float, count: int) -> np.ndarray:
    source = run.sightings.sources.get(video)
    if not isinstance(source, Path) or isinstance(source, Elsewhere):
        raise UserError(f"{run.folder}: video {video} is not there as a file; its frames are shown")
    times = (np.arange(count) + 0.5) * seconds / count
    with open_video(source) as reader:
        return np.stack([frame for _, frame in reader.frames_at(times)])
