"""Voting: proposals that overlap those soft-NMS picked move their edges, weighted by score.

The idea is box voting (Gidaris and Komodakis, ICCV 2015), along time.
"""

from __future__ import annotations

import numpy as np

from bmn.errors import BMNError

MARGIN = 1e-9  # of a run's reach, relative: rounding leaves no voter out of it


def voting_weights(decoded: np.ndarray) -> np.ndarray:
    """How much each decoded proposal [n, 7] (`PROPOSAL_COLUMNS`) counts in `vote`: float64 [n].

    Its score times the squared product of its boundary probabilities: what moves a boundary should know
    where boundaries are, also where the score leaves them out (`boundary_power` 0).
    """
    weights: np.ndarray = decoded[:, 6] * (decoded[:, 2] * decoded[:, 3]) ** 2
    return weights


def vote(segments: np.ndarray, scores: np.ndarray, picks: np.ndarray, tiou: float) -> np.ndarray:
    """The picks, each moved to the mean of the proposals around it, weighted by `scores` x tIoU.

    segments [n, 2]: all proposals before soft-NMS, each start at most its end
    scores [n]: their scores, 0 or more
    picks: int64 [m], rows of `segments`
    tiou: a proposal votes if its tIoU with the pick is at least this

    A pick without voters, or whose voters score 0, stays where it is.

    Returns float64 [m, 2] in the order of `picks`, in the unit of `segments`. Only proposals that
    begin near a pick are touched. Raises BMNError for shapes or a tiou that make no sense.
    """
    table = np.asarray(segments, dtype=np.float64).reshape(-1, 2)
    weights = np.asarray(scores, dtype=np.float64)
    chosen = np.asarray(picks, dtype=np.int64)
    if weights.shape != (len(table),):
        raise BMNError(f"{len(table)} segments and scores {weights.shape} do not fit together")
    if not 0 < tiou <= 1:
        raise BMNError(f"tiou {tiou} must be above 0, at most 1")
    order = np.argsort(table[:, 0], kind="stable")
    near, weights = table[order], weights[order]
    moved = table[chosen]
    first, last = _voter_runs(near[:, 0], moved, tiou)
    for row, (start, end) in enumerate(moved.copy()):
        run = slice(first[row], last[row])
        starts, ends = near[run].T
        shared = np.minimum(ends, end) - np.maximum(starts, start)
        union = np.maximum(ends, end) - np.minimum(starts, start)
        votes = (shared >= tiou * union) & (union > 0)
        # With the tIoU, those at the brink count less: better on noisy maps (docs/how-to/boundaries.md).
        weight = weights[run][votes] * shared[votes] / union[votes]
        total = weight.sum()
        if total > 0:
            moved[row] = weight @ near[run][votes] / total
    return moved


def _voter_runs(
    starts: np.ndarray, picks: np.ndarray, tiou: float
) -> tuple[np.ndarray, np.ndarray]:
    """The run first:last of sorted starts, outside which no tIoU with each pick reaches `tiou`."""
    width = picks[:, 1] - picks[:, 0]
    slack = MARGIN * (width + np.abs(picks[:, 0]))
    # A start this much earlier lengthens the union, one this much later shortens the overlap.
    earliest = picks[:, 0] - width * (1.0 / tiou - 1.0) - slack
    latest = picks[:, 0] + width * (1.0 - tiou) + slack
    return np.searchsorted(starts, earliest), np.searchsorted(starts, latest, side="right")
