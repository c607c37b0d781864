"""Segments that are neither right nor wrong to detect, such as THUMOS14's `Ambiguous`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.tables import segments


def overlaps_ignored(detections: pd.DataFrame, ignored: pd.DataFrame | None) -> np.ndarray:
    """Whether a detection shares time with one of the ignored segments of its video: bool [n].

    detections: video, start, end, in any class; ignored: video, start, end; seconds. To touch is not to
    overlap, and a segment of no length overlaps nothing: the rule of THUMOS14's own toolkit.
    """
    found = np.zeros(len(detections), bool)
    if ignored is None or ignored.empty or detections.empty:
        return found
    rows_of = detections.groupby("video", sort=False).indices
    start, end = segments(detections)
    for video, group in ignored.groupby("video", sort=False):
        rows = rows_of.get(video)
        if rows is None:
            continue
        for low, high in zip(*segments(group), strict=True):
            inside = np.minimum(end[rows], high) - np.maximum(start[rows], low)
            found[rows] |= inside > 0
    return found
