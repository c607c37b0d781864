"""What a run's head proposes before soft-NMS, and the class scores of the proposals it kept."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.overlap import temporal_iou
from evaluation.stages import nearest_proposals
from evaluation.tables import segments
from pipeline.data.windows.positions import video_input
from pipeline.progress import Progress
from pipeline.results.classification.class_scores import Parts
from pipeline.results.proposing import candidates_of, video_maps
from pipeline.runs.run import Run
from pipeline.tools.why.classes import Scores, rows_of
from pipeline.tools.why.points import points_of_videos
from pipeline.training.networks.bmn import load_network

_COLUMNS = ["video", "start", "end", "score"]


def nearest_candidates(run: Run, truth: pd.DataFrame) -> pd.DataFrame:
    """Of each true segment the nearest of all proposals before soft-NMS: video, start, end, score.

    What the head says is made again, a video at a time. Raises UserError if network or features are damaged.
    """
    if run.ways.head != "bmn":
        return _nearest_points(run, truth)
    config, groups = run.detection, truth.groupby("video", sort=False).indices
    videos = [video for video in groups if run.features.path(video).is_file()]
    if not videos:
        return pd.DataFrame(columns=_COLUMNS)
    network = load_network(config.bmn, run.features.common_channels(videos), run.folder, run.device)
    found = []
    with Progress(len(videos), "why: proposals before NMS", unit="video") as bar:
        for video in videos:
            source = video_input(run.features(video), config.bmn)
            maps = video_maps(network, source, config.bmn, run.device)
            every = candidates_of(maps, source, video, config.bmn, config.proposals)
            found.append(nearest_proposals(truth.iloc[groups[video]], every))
            bar.update(1)
    return pd.concat(found, ignore_index=True)


def _nearest_points(run: Run, truth: pd.DataFrame) -> pd.DataFrame:
    """The same of ActionFormer, whose points find segments of no class."""
    least, found = run.detection.detections.score_threshold, [pd.DataFrame(columns=_COLUMNS)]
    for rows, video, points in points_of_videos(run, truth):
        found.append(nearest_proposals(truth.iloc[rows], points.table(video, least))[_COLUMNS])
    return pd.concat(found[1:] or found, ignore_index=True)


def scores_of_kept(run: Run, kept: pd.DataFrame, table: pd.DataFrame) -> Scores:
    """Class scores of segments, each those of the kept proposal nearest to it in its video.

    Raises UserError if the scores of `classify` are damaged.
    """
    parts = Parts(run.path("classify"), "", {})
    own = kept.groupby("video", sort=False).indices
    scores, places = {}, {}
    for video, rows in table.groupby("video", sort=False).indices.items():
        scores[video] = parts.read(video)
        places[video] = nearest_of(table.iloc[rows], segments(kept.iloc[own[video]]))
    return rows_of(scores, places)


def nearest_of(table: pd.DataFrame, among: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The place [N] of the segment among others (starts [P], ends [P], seconds) that is nearest to each of a table."""
    start, end = (column[:, None] for column in segments(table))
    nearest: np.ndarray = temporal_iou(start, end, *among).argmax(axis=1)
    return nearest
