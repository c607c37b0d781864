"""Maps of a one-hour video to its proposals: decoding and soft-NMS."""

from __future__ import annotations

import numpy as np

from benchmarks.baselines.loops import baseline_decode, baseline_soft_nms
from benchmarks.drawn import draw_maps
from benchmarks.measure import Cost, Form, Row, Work, absolute_difference, compare
from bmn import decode_proposals, soft_nms

STAGE = "proposals + soft-NMS"
SOFT_NMS = {"alpha": 0.4, "low": 0.25, "high": 0.9}  # of EPIC-KITCHENS
HOUR, DURATIONS, PICKS = 13500, 100, 3601  # positions of 0.267 s; one proposal per second, plus one


def run(quick: bool) -> list[Row]:
    """Seconds per video; picks, their order, their segments and their scores are compared."""
    length, durations, count = (120, 12, 20) if quick else (HOUR, DURATIONS, PICKS)
    maps = draw_maps(length, durations)
    decoded = len(decode_proposals(*maps))
    # The maps are read once and the table of proposals is written once; every pick is compared
    # with its neighbours, which costs almost nothing beside that.
    cost = Cost(8.0 * decoded, 4.0 * (2 + 2 * durations) * length + 56.0 * decoded)
    text = f"{length} positions x {durations} durations, {decoded} proposals, {count} picks"
    return compare(
        Work(STAGE, text, absolute_difference, "of time or score"),
        Form(
            "loops over cells and over picks",
            lambda: baseline_proposals(maps, count),
            once=not quick,
        ),
        [Form("arrays, neighbours of a pick only", lambda: our_proposals(maps, count), cost=cost)],
        runs=1 if quick else 5,
    )


def our_proposals(maps: tuple[np.ndarray, ...], count: int) -> list[np.ndarray]:
    """Segments [m, 2] as shares of the video and decayed scores [m] of the picks in order."""
    table = decode_proposals(*maps)
    index, score = soft_nms(table[:, :2], table[:, -1], **SOFT_NMS, count=count)
    return [table[index, :2], score]


def baseline_proposals(maps: tuple[np.ndarray, ...], count: int) -> list[np.ndarray]:
    """The same with loops."""
    table = baseline_decode(*maps)
    index, score = baseline_soft_nms(table[:, :2], table[:, -1], **SOFT_NMS, count=count)
    return [table[index, :2], score]
