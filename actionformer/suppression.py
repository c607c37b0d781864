"""Non-maximum suppression, soft (Bodla et al., ICCV 2017) and hard, along time, and voting."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from actionformer.decoding import Candidates
from actionformer.errors import ActionFormerError
from actionformer.points import Array, as_tensor, segment_table

MARGIN = 1e-6  # added to lengths
ROWS = 256  # kept segments that vote at once
TOGETHER = 64  # picks whose effect is worked out at once
MANY = 1024  # members of a group in which that no longer pays


def suppress(
    segments: Array,
    scores: Array,
    labels: Array,
    *,
    method: Literal["soft", "hard"] = "soft",
    iou_threshold: float = 0.1,
    sigma: float = 0.5,
    min_score: float = 0.001,
    count: int = 200,
    per_class: bool = True,
    voting: float | None = None,
) -> Candidates:
    """Up to `count` candidates, best first, where those that overlap a better one lose.

    segments [N, 2]: start and end, in any unit; scores [N]: as they are; labels: int [N], the classes
    method: "soft": exp(-IoU^2 / sigma) multiplies a score for each better candidate, and it is left out
        under `min_score`; the best one is never tested. "hard": only scores above `min_score` take part,
        and a candidate whose IoU with a better one is at least `iou_threshold` is left out.
    count: at most this many are given; per_class: only those of the same class suppress one another
    voting: without `per_class`, the threshold at which `vote` moves a kept segment; None: no voting.
    In float32 on the CPU; equal scores in the order given. To pick the best of all classes each
    time gives what all classes, merged and cut, would give. Raises ActionFormerError for shapes,
    NaN or settings that make no sense.
    """
    table, values, names = _checked(segments, scores, labels)
    if method not in {"soft", "hard"} or sigma <= 0:
        raise ActionFormerError(f'method {method!r} is not "soft" or "hard", or sigma {sigma} <= 0')
    groups = names if per_class else torch.zeros_like(names)
    order = groups.sort(stable=True).indices
    left = values[order].numpy()  # a copy
    limit, decay = (min_score, sigma) if method == "soft" else (iou_threshold, None)
    if method == "hard":
        left[left <= min_score] = -np.inf
    picks, kept = _picks(table[order].T.numpy(), left, groups[order].numpy(), count, limit, decay)
    index = order[picks]
    chosen = table[index]
    if voting and not per_class:
        chosen = vote(chosen, table, values, voting)
    return Candidates(chosen, torch.tensor(kept), names[index])


def _checked(segments: Array, scores: Array, labels: Array) -> tuple[Tensor, Tensor, Tensor]:
    """Float32 [N, 2] and [N], int64 [N], on the CPU."""
    table = segment_table(segments, torch.empty(0))
    values, names = as_tensor(scores).to(table), as_tensor(labels).to("cpu").long()
    if not values.shape == names.shape == (len(table),) or not bool(values.isfinite().all()):
        raise ActionFormerError(f"{len(table)} segments need as many finite scores, and labels")
    return table.detach(), values.detach(), names


def _picks(
    ends: np.ndarray,
    left: np.ndarray,
    groups: np.ndarray,
    count: int,
    limit: float,
    sigma: float | None,
) -> tuple[list[int], list[float]]:
    """Places and scores of the picks; columns are sorted by group, the scores `left` are changed."""
    edges = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(groups)]
    lessening = _Lessening(ends, edges, limit, sigma)
    lessen = np.minimum if sigma is None else np.multiply
    # What falls below the limit stays there: it is enough to look at the best. A negative score may rise again.
    rising = sigma is not None and bool((left < 0).any())
    tops = np.maximum.reduceat(left, edges[:-1]) if len(left) else left
    picks: list[int] = []
    kept: list[float] = []
    while len(picks) < min(count, len(left)):
        group = int(tops.argmax())
        if tops[group] == -np.inf:
            break
        low, high = edges[group], edges[group + 1]
        rest = left[low:high]
        place = int(rest.argmax())
        picks.append(low + place)
        kept.append(float(rest[place]))
        by = lessening.by(low + place, left)[: high - low]
        rest[place] = -np.inf
        if lessening.to_nothing:  # a factor of 0 must not turn a taken one into NaN
            lessen(rest, by, out=rest, where=rest > -np.inf)
        else:
            lessen(rest, by, out=rest)
        if rising:
            rest[rest < limit] = -np.inf
        top = rest[rest.argmax()]
        tops[group] = top if sigma is None or top >= limit else -np.inf
    return picks, kept


class _Lessening:
    """What a pick does to the scores of its group, made for those together that are likely the next picks."""

    def __init__(
        self, ends: np.ndarray, edges: list[int], limit: float, sigma: float | None
    ) -> None:
        self._start, self._end = np.ascontiguousarray(ends)
        self._length = self._end - self._start + np.float32(MARGIN)
        self._limit, self._sigma = limit, sigma
        self._edges = np.array(edges)
        self._sizes = np.diff(self._edges)
        self._rows: dict[int, np.ndarray] = {}
        self._made = np.zeros(len(self._start), bool)
        self.to_nothing = False  # whether a score may be multiplied by 0

    def by(self, pick: int, left: np.ndarray) -> np.ndarray:
        """Factors (soft) or bounds (hard) for the members of a pick's group, and more after them: float32.

        `left`: the scores of all.
        """
        if pick not in self._rows:
            if len(left) <= TOGETHER:
                self._make(np.arange(len(left)))
            elif self._sizes.max() > MANY:
                self._make(np.array([pick]))
            else:
                waiting = np.where(self._made, -np.inf, left)
                waiting[pick] = np.inf
                self._make(np.argpartition(waiting, -TOGETHER)[-TOGETHER:])
        return self._rows.pop(pick)

    def _make(self, picks: np.ndarray) -> None:
        others: np.ndarray | slice = slice(None)
        if len(self._sizes) > 1:
            groups = np.searchsorted(self._edges, picks, side="right") - 1
            others = self._edges[groups][:, None] + np.arange(self._sizes[groups].max())
            np.minimum(others, len(self._start) - 1, out=others)  # after a group's end: not used
        pick = picks[:, None]
        end, start = (np.minimum, self._end), (np.maximum, self._start)
        shared, low = (take(of[others], of[pick]) for take, of in (end, start))
        shared -= low
        np.maximum(shared, 0.0, out=shared)
        iou = shared / (self._length[others] + self._length[pick] - shared)
        if self._sigma is None:
            rows = np.where(iou >= self._limit, np.float32(-np.inf), np.float32(np.inf))
        else:
            rows = np.exp(iou * iou / -self._sigma)
            self.to_nothing |= not rows.all()
        self._made[picks] = True
        self._rows.update(zip(picks.tolist(), rows, strict=True))


def vote(chosen: Tensor, segments: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Each of `chosen` [M, 2] moved to the weighted mean of `segments` [N, 2] around it: [M, 2].

    The weight is score x IoU where the IoU is at least `threshold`. A segment without length, or
    around which all scores are 0, stays where it is (the public code gives NaN).
    """
    moved = []
    start, end = segments.T
    for rows in torch.split(chosen, ROWS):
        from_, to = rows.T[..., None]
        shared = (torch.minimum(end, to) - torch.maximum(start, from_)).clamp(min=0)
        union = (end - start) + (to - from_) - shared
        iou = torch.where(union > 0, shared / union, 0.0)
        weights = torch.where(iou >= threshold, iou * scores, 0.0)
        total = weights.sum(1, keepdim=True)
        moved.append(torch.where(total > 0, weights @ segments / total, rows))
    return torch.cat(moved)
