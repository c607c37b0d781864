"""Do features fit their videos' lengths? Where they do not: are they transposed, of another rate, or rescaled?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.foreign.clocks import Known, Stated

_SLACK = 0.02  # of a video's length; or a clip and two cells, whichever is more
_LONG = 3.0  # times up to the last segment's end: the actions of a video rarely all lie in its first third
_SAME = 0.06  # how far factors of one cause lie apart
_WHOLE, _RATE = (
    0.15,
    0.012,
)  # how near a stride is to a whole number [frames], a rate to a common one
_RATES = (5, 10, 12, 15, 20, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60)


@dataclass(frozen=True)
class Shape:
    """The features [number, channels] of a video as they were read, and what is known of it."""

    number: int
    channels: int
    known: Known


def misfits(shapes: Mapping[str, Shape], stated: Stated) -> dict[str, str]:
    """What is wrong with the lengths of videos' features, by video; the text says what would fit.

    Features may end a clip early, as many extractors stop at the last whole clip. Where a video's length
    is not known they have to reach the end of its last segment.
    """
    turned = _turned(shapes, stated)
    left = {video: shape for video, shape in shapes.items() if video not in turned}
    if stated.rates == "rescaled":
        return turned  # their number is all that can be checked, and is
    wrong = {
        video: shape for video, shape in left.items() if not _fits(shape, shape.number, stated)
    }
    found = dict.fromkeys(wrong, _too_short(wrong, stated)) if wrong else {}
    timed = {video: shape for video, shape in left.items() if shape.known.duration > 0}
    off = {video: shape for video, shape in wrong.items() if video in timed}
    hint, everyone = _hint(timed, off, stated)
    text = f"with another length than the video's ({hint or 'are --fps and --stride right?'})"
    # each may be within what a clip can be short of, and all together not
    return turned | found | dict.fromkeys(timed if everyone else off, text)


def _fits(shape: Shape, number: int, stated: Stated) -> bool:
    """Whether so many features could be those of the video."""
    known, grid = shape.known, stated.grid_of(shape.known, shape.number)
    wanted = known.duration if known.duration > 0 else known.last_end
    slack = (grid.frames - 1) * grid.interval / grid.fps + 2 * grid.seconds_per_clip
    slack = max(slack + abs(grid.origin), _SLACK * wanted)
    late = grid.origin + number * grid.seconds_per_clip - wanted
    return -slack <= late and (late <= slack or not known.duration > 0)


def _turned(shapes: Mapping[str, Shape], stated: Stated) -> dict[str, str]:
    """Those whose two axes are the other way round."""
    fix = "give --channels-first" if stated.layout == "nc" else "leave --channels-first out"
    axes = ("channels", "features") if stated.layout == "nc" else ("features", "channels")
    text = f"with its axes the other way round, [{axes[0]}, {axes[1]}]: {fix}"
    if stated.rates == "rescaled":
        return {}
    timed = [shape for shape in shapes.values() if shape.known.duration > 0]
    rows = {shape.number for shape in shapes.values()}
    columns = [shape.channels for shape in shapes.values()]
    usual = max(set(columns), key=columns.count) if columns else 0
    # A number of channels that differs from video to video is none; that of features may be one.
    varied = len(rows) == 1 < len(columns) and 2 * columns.count(usual) <= len(columns)
    if varied and 2 * sum(_fits(shape, shape.number, stated) for shape in timed) <= len(timed):
        return dict.fromkeys(shapes, text)
    if _far_too_long(shapes, stated):
        return dict.fromkeys(shapes, text)
    wrong = [v for v, shape in shapes.items() if not _fits(shape, shape.number, stated)]
    other = [v for v in wrong if _fits(shapes[v], shapes[v].channels, stated)]
    # a few may fit by chance, and where no length is known nearly all do
    other = other if timed and 2 * len(other) > len(wrong) else []
    return dict.fromkeys(other, text) | {
        video: text  # one among others that are right
        for video, shape in shapes.items()
        if shape.channels != usual == shape.number and columns.count(usual) > 1
    }


def too_long(shapes: Mapping[str, Shape], stated: Stated) -> str:
    """What to say of features of unknown lengths that go on long after the last segments; "" where they do not."""
    factors = _factors(shapes, stated)
    if len(factors) < 3 or np.median(factors) < _LONG:
        return ""
    return (
        f"features last {np.median(factors):.2g} times as long as up to the last segment of their videos (median of "
        f"{len(factors)} whose length is not known); are --fps and --stride right?"
    )


def _far_too_long(shapes: Mapping[str, Shape], stated: Stated) -> bool:
    """Whether all have one shape, which is far too long for their last segments, and not so when turned."""
    if len({(shape.number, shape.channels) for shape in shapes.values()}) != 1:
        return False
    factors = _factors(shapes, stated)
    shape = next(iter(shapes.values()))
    turned = factors * shape.channels / shape.number
    return len(factors) == len(shapes) > 1 and bool(
        np.median(factors) > _LONG and 1 <= np.median(turned) < _LONG and turned.min() > 0.9
    )


def _factors(shapes: Mapping[str, Shape], stated: Stated) -> np.ndarray:
    """How many times as long as up to the last segment's end features last, where the length is not known."""
    unknown = [s for s in shapes.values() if not s.known.duration > 0 and s.known.last_end > 0]
    spans = [stated.grid_of(shape.known, shape.number).seconds_per_clip for shape in unknown]
    lasts = zip(unknown, spans, strict=True)
    return np.array([shape.number * span / shape.known.last_end for shape, span in lasts])


def _too_short(wrong: Mapping[str, Shape], stated: Stated) -> str:
    """Of videos whose length is not known: how many times too short the shortest is."""
    factors = []
    for shape in wrong.values():
        grid = stated.grid_of(shape.known, shape.number)
        factors.append(shape.known.last_end / (shape.number * grid.seconds_per_clip))
    one = len({(shape.number, shape.channels) for shape in wrong.values()}) == 1
    axes = " or their axes the other way round: --channels-first?" if one else ""
    return (
        f"that end before the last segment of the video does, {max(factors):.2g} times too short "
        f"(are --fps and --stride right?{axes})"
    )


def _hint(timed: Mapping[str, Shape], off: Mapping[str, Shape], stated: Stated) -> tuple[str, bool]:
    """What would fit the lengths of all, "" where nothing is known to; and whether all are wrong without it."""
    if not timed:
        return "", False
    numbers = np.array([shape.number for shape in timed.values()], float)
    seconds = np.array([shape.known.duration for shape in timed.values()])
    spans = np.array([stated.grid_of(s.known, s.number).seconds_per_clip for s in timed.values()])
    cells = seconds / spans  # that features should have, about
    if len(off) > 2 and np.ptp(numbers) == 0 and np.ptp(cells) > 0.2 * cells.mean():
        return (
            f"all have {int(numbers[0])}: where each is rescaled to that number, give --rescaled "
            f"{int(numbers[0])} in place of --fps and --stride"
        ), False
    factor = _common_factor(numbers, cells)
    everyone = bool(factor) and _apart(numbers, cells)
    if not factor or (not everyone and 2 * len(off) < len(timed)) or not (off or everyone):
        return "", False
    return _fitting(factor, stated), everyone


def _common_factor(numbers: np.ndarray, cells: np.ndarray) -> float:
    """How many times too few features all have, 0.0 where they have no factor in common.

    It is a slope where lengths differ enough: a clip that is missing at each end says nothing of the rate.
    """
    if len(numbers) > 2 and np.ptp(cells) > 0.2 * cells.mean():
        slope, missing = np.polyfit(numbers, cells, 1) if np.ptp(numbers) else (0.0, 0.0)
        if slope > 0 and np.abs(slope * numbers + missing - cells).max() <= 2 * max(1.0, slope):
            return float(slope)
    factors = cells / numbers
    factor = float(np.median(factors))
    near = np.abs(factors / factor - 1) <= _SAME + 2 / cells.clip(min=1)
    return factor if near.all() else 0.0


def _apart(numbers: np.ndarray, cells: np.ndarray) -> bool:
    """Whether lengths that each could be right cannot all be: they grow at another rate than the videos'."""
    if len(numbers) < 4 or np.ptp(numbers) == 0:
        return False
    slope, missing = np.polyfit(numbers, cells, 1)
    rest = np.abs(slope * numbers + missing - cells).max()
    return bool(
        rest <= 1.5 * max(1.0, slope) and abs(slope - 1) * np.ptp(numbers) > 5 * (rest + 0.5)
    )


def _fitting(factor: float, stated: Stated) -> str:
    """The stride and the rate that lengths a `factor` off are right for."""
    grid = stated.grid
    stride, rate = grid.stride * factor, grid.fps / factor
    whole = max(1, round(stride))
    common = min(_RATES, key=lambda value: abs(math.log(value / rate)))
    fits, given = [], []
    if abs(stride - whole) <= min(_WHOLE, 0.03 * whole) and whole != grid.stride:
        fits, given = [f"--stride {whole}"], [f"{grid.stride}"]
    if stated.rates != "video" and abs(common / rate - 1) <= _RATE and common != grid.fps:
        fits, given = [*fits, f"--fps {common:g}"], [*given, f"{grid.fps:g}"]
    if not fits:
        return (
            f"the features fit a rate of {1 / (grid.seconds_per_clip * factor):.4g} per second"
            + (f", not {1 / grid.seconds_per_clip:.4g}")
        )
    return f"the features fit {' or '.join(fits)}, not {' and '.join(given)}"
