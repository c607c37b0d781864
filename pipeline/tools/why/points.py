"""What a run's ActionFormer says at every point of its pyramid, and which point of it learns a true segment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.features.timed import Features
from pipeline.data.sequences.grids import PositionGrid, position_count, position_grid, position_rows
from pipeline.data.sequences.learnt import learnt_segments, levels_of
from pipeline.progress import Progress
from pipeline.results.detecting import joined, video_levels
from pipeline.runs.run import Run
from pipeline.training.networks.actionformer import Networks, load_network, sizes_of


class Points(NamedTuple):
    """A video of `length` positions, and what is reported at each of its P points, level by level.

    segments [P, 2]: seconds, cut to the video. scores: an array [P, K] a set of classes, or one [P, 1] without.
    """

    segments: np.ndarray
    scores: list[np.ndarray]
    grid: PositionGrid
    length: int

    def table(self, video: str, least: float) -> pd.DataFrame:
        """Points that find a segment of some length above a score, as proposals: video, start, end, score, point."""
        best = np.prod([scores.max(axis=1) for scores in self.scores], axis=0)
        start, end = self.segments.T
        kept = np.flatnonzero((end > start) & (best > least))
        columns = {"start": start[kept], "end": end[kept], "score": best[kept], "point": kept}
        return pd.DataFrame({"video": video, **columns})


def points_of_videos(run: Run, truth: pd.DataFrame) -> Iterator[tuple[np.ndarray, str, Points]]:
    """Of each annotated video that has features the rows of the truth, its name, and its points.

    Raises UserError if network or features are damaged.
    """
    config, groups = run.detection, truth.groupby("video", sort=False).indices
    videos = [video for video in groups if run.features.path(video).is_file()]
    if not videos:
        return
    sizes = sizes_of(config.actionformer, run.dataset.heads)
    channels = run.features.common_channels(videos)
    network = load_network(config.actionformer, channels, sizes, run.folder, run.device)
    with Progress(len(videos), "why: points before NMS", unit="video") as bar:
        for video in videos:
            found = points_of(network, run.features(video), config, sizes, run.device)
            yield groups[video], video, found
            bar.update(1)


def points_of(
    network: Networks,
    features: Features,
    config: DetectionConfig,
    sizes: tuple[int, ...],
    device: torch.device,
) -> Points:
    """What the network says of a video; `sizes` are the numbers of classes, none () where it names none."""
    settings = config.actionformer
    rows = position_rows(features, settings)
    grid = position_grid(features.grid, features.duration, settings)
    levels = joined(video_levels(network, rows, config, device))
    segments, scores = [], []
    for level, stride in zip(levels, network.first.strides, strict=True):
        shown = level.mask[0]
        offsets = level.offsets[0][shown] * stride * torch.tensor([-1.0, 1.0])
        segments.append(torch.arange(len(offsets))[:, None] * stride + offsets)
        scores.append(level.logits[0][shown].sigmoid())
    ends = grid.to_seconds(torch.cat(segments).numpy()).clip(0.0, features.duration)
    each = torch.split(torch.cat(scores), list(sizes) or [1], dim=1)
    return Points(ends, [part.numpy() for part in each], grid, len(rows))


def learning_points(
    segments: np.ndarray, length: int, settings: ActionFormerSettings
) -> np.ndarray:
    """Of each segment [N, 2], in positions, the point that learns it, by its place [N] among those of all levels.

    It is the one nearest to the segment's middle, of the level whose range holds half of its length.
    """
    level = levels_of(segments[:, 1] - segments[:, 0], settings)
    counts = -(-length // 2 ** np.arange(settings.levels))
    place = np.rint(segments.mean(axis=1) / 2**level).astype(np.int64)
    begin = np.cumsum(counts) - counts
    found: np.ndarray = begin[level] + np.clip(place, 0, counts[level] - 1)
    return found


def learnable(run: Run, truth: pd.DataFrame) -> np.ndarray:
    """The true segments [m, 2] in seconds, NaN where no point could learn one or the video has no features."""
    settings = run.detection.actionformer
    found = np.full((len(truth), 2), np.nan)
    table = truth[["start", "end"]].to_numpy(np.float64)
    for video, rows in truth.groupby("video", sort=False).indices.items():
        if not run.features.path(video).is_file():
            continue
        features = run.features(video)
        grid = position_grid(features.grid, features.duration, settings)
        length = position_count(len(features), settings)
        rows = rows[table[rows, 1] > table[rows, 0]]
        inside = table[rows].clip(0.0, features.duration)
        held = learnt_segments(grid.to_positions(inside), length, settings).possible > 0
        found[rows[held]] = inside[held]
    return found
