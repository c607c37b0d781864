"""Groups of ground truths and of detections by length and by number of instances in the video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.error_kinds import Kinds
from evaluation.errors import TableError
from evaluation.matched import Matched
from evaluation.tables import segments

LENGTHS = ("extra short", "short", "medium", "long", "extra long")
INSTANCES = ("1", "2 to 4", "5 to 8", "9 or more")
_INSTANCE_EDGES = np.array([1, 4, 8])


@dataclass(frozen=True)
class Groups:
    """names: G of them; truth: int64 [m], detection: int64 [n], number of its group; edges: upper limits [G - 1]."""

    names: tuple[str, ...]
    truth: np.ndarray
    detection: np.ndarray
    edges: np.ndarray


def by_length(
    found: Matched,
    kinds: Kinds,
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    edges: Sequence[float] | None,
) -> Groups:
    """Five groups by length in seconds: up to each of four `edges`, and above.

    None: a fifth of the ground truths each. A detection is in the group of the truth it is about, one about
    nothing in that of its own length. Raises TableError for edges that are not four, or do not rise.
    """
    start, end = segments(annotations)
    length = end - start
    if edges is None:
        limits = np.quantile(length, [0.2, 0.4, 0.6, 0.8])
    else:
        limits = np.asarray(edges, np.float64)
        if limits.shape != (4,) or not (np.diff(limits) > 0).all():
            raise TableError(f"length_edges: {list(edges)}; give four rising numbers of seconds")
    start, end = (column[found.rows] for column in segments(detections))
    truth = np.searchsorted(limits, length)
    alone = np.searchsorted(limits, end - start)
    detection = np.where(kinds.about >= 0, truth[kinds.about], alone)
    return Groups(LENGTHS, truth, detection, limits)


def by_instances(found: Matched) -> Groups:
    """Groups by the number of ground truths in the video, of whatever class: DETAD's limits."""
    count = np.bincount(found.truth_video, minlength=len(found.videos))
    group = np.searchsorted(_INSTANCE_EDGES, count)
    return Groups(INSTANCES, group[found.truth_video], group[found.video], _INSTANCE_EDGES)
