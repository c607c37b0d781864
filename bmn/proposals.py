"""Decode the maps of a video into proposals (Lin et al., ICCV 2019, inference of BMN)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from bmn.errors import BMNError
from bmn.targets import check_boundary_center

PROPOSAL_COLUMNS = ("xmin", "xmax", "xmin_score", "xmax_score", "clr_score", "reg_score", "score")


def decode_proposals(
    start: np.ndarray | Tensor,
    end: np.ndarray | Tensor,
    confidence_map: np.ndarray | Tensor,
    *,
    cls_power: float = 1.0,
    reg_power: float = 1.0,
    boundary_power: float = 1.0,
    seconds_per_position: float | None = None,
    boundary_center: float = 0.0,
) -> np.ndarray:
    """Every pair of a start peak and a later end peak that a cell of the map stands for.

    start, end [L]: boundary probabilities
    confidence_map [2, D, L]: 0 regression, 1 classification. Cell (d, s), the segment
        [s, s + d + 1], pairs the start of position s with
        the end of position s + d + 1 < L (boundary_center 0), or of s + d < L (0.5).
    cls_power, reg_power, boundary_power: score = (start * end) ** boundary_power
        * classification ** cls_power * regression ** reg_power.
    seconds_per_position: gives xmin and xmax in seconds; without it they are shares of the L positions.
    boundary_center: that of the labels the network was trained on (`targets.batch_targets`). 0
        decodes as the public code, half a position early, and no proposal ends at L; 0.5 without
        bias, up to L.

    Returns float64 [n, 7] in PROPOSAL_COLUMNS, by duration and then by start. Raises BMNError
    where the shapes do not fit together, or for another boundary_center.
    """
    check_boundary_center(boundary_center)
    starts, ends, maps = (to_array(table) for table in (start, end, confidence_map))
    _check_maps(starts, ends, maps)
    first, last, duration = _peak_pairs(starts, ends, maps.shape[1], _ahead(boundary_center))
    scale = 1.0 / len(starts) if seconds_per_position is None else seconds_per_position
    table = np.empty((len(first), len(PROPOSAL_COLUMNS)))
    table[:, 0], table[:, 1] = first * scale, (first + duration + 1) * scale
    table[:, 2], table[:, 3] = starts[first], ends[last]
    table[:, 4], table[:, 5] = maps[1, duration, first], maps[0, duration, first]
    powers = {"cls_power": cls_power, "reg_power": reg_power, "boundary_power": boundary_power}
    table[:, 6] = proposal_scores(table, **powers)
    return table


def proposal_scores(
    decoded: np.ndarray, *, cls_power: float, reg_power: float, boundary_power: float
) -> np.ndarray:
    """The scores float64 [n] of decoded proposals [n, 7] with these powers, as `decode_proposals` has them."""
    scores: np.ndarray = (decoded[:, 2] * decoded[:, 3]) ** boundary_power
    scores *= decoded[:, 4] ** cls_power * decoded[:, 5] ** reg_power
    return scores


def proposal_cells(
    start: np.ndarray | Tensor,
    end: np.ndarray | Tensor,
    durations: int,
    *,
    boundary_center: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The cells of a map [C, durations, L] that `decode_proposals` reads: durations and starts, int64 [n] each.

    They depend on the boundary probabilities start and end [L] alone, whatever the powers of a score.
    In the order of the proposals that are made of them. Raises BMNError for another boundary_center.
    """
    check_boundary_center(boundary_center)
    starts, ends = to_array(start), to_array(end)
    first, _, duration = _peak_pairs(starts, ends, durations, _ahead(boundary_center))
    return duration, first


def _ahead(boundary_center: float) -> int:
    """Positions from a cell to its end."""
    return 0 if boundary_center else 1


def _check_maps(starts: np.ndarray, ends: np.ndarray, maps: np.ndarray) -> None:
    fits = starts.ndim == 1 and ends.shape == starts.shape
    if not fits or maps.shape != (2, *maps.shape[1:2], len(starts)):
        raise BMNError(
            f"start {starts.shape}, end {ends.shape} and confidence_map {maps.shape} do not fit "
            "together: expected [L], [L] and [2, D, L]"
        )


def boundary_peaks(probability: np.ndarray) -> np.ndarray:
    """Bool [L]: strict local maxima, and all above half the maximum."""
    peaks: np.ndarray = probability > 0.5 * probability.max(initial=0.0)
    inner = probability[1:-1]
    peaks[1:-1] |= (inner > probability[:-2]) & (inner > probability[2:])
    return peaks


def _peak_pairs(
    start: np.ndarray, end: np.ndarray, durations: int, ahead: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start positions, end positions and duration indices of all pairs, by duration, then start.

    Cell (d, s) takes the end at position s + d + ahead. The video's first position is always a start
    and its last one always an end.
    """
    is_start, is_end = boundary_peaks(start), boundary_peaks(end)
    is_start[:1] = True
    is_end[-1:] = True
    first = np.flatnonzero(is_start)
    reachable = np.pad(is_end, (0, durations))  # no end beyond the video
    duration, which = np.nonzero(reachable[np.arange(ahead, durations + ahead)[:, None] + first])
    return first[which], first[which] + duration + ahead, duration


def to_array(table: np.ndarray | Tensor) -> np.ndarray:
    """A tensor's values in float32 on the CPU; an array as it is."""
    return table.detach().float().cpu().numpy() if isinstance(table, Tensor) else np.asarray(table)
