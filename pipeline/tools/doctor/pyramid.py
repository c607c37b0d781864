"""Whether ActionFormer's positions, levels and training samples suit the annotated segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.sequences.grids import position_count, position_grid
from pipeline.data.sequences.learnt import learnt_segments, levels_for, levels_of
from pipeline.tools.doctor.findings import NOTE, OK, WRONG, Finding
from pipeline.tools.doctor.fitting import LEAST_RECALL, limit_findings

LEAST_IN_SHORTEST = 2  # positions: a shorter segment's ends lie within one of another
USUAL = 0.98  # of the segments are shorter than those that levels are counted for
MUCH_PADDING = 2  # max_length over the longest video, from which most of a sample is padding


class Fit(NamedTuple):
    """Segments [N] as positions see them: seconds of a position, points that could learn each, and that do.

    `lengths`: the positions of each video with segments.
    """

    position: np.ndarray
    possible: np.ndarray
    actual: np.ndarray
    lengths: Mapping[str, int]


def fit_of(config: DetectionConfig, rows: pd.DataFrame, seconds: Mapping[str, float]) -> Fit:
    """How segments (video, start, end) fit the positions of their videos, which are `seconds` long."""
    settings, clips = config.actionformer, clip_grid(config.extract)
    position, possible, actual = np.zeros((3, len(rows)))
    lengths = {}
    for video, index in rows.groupby("video", sort=False).indices.items():
        duration = seconds[str(video)]
        count = clips.num_clips(duration)
        grid = position_grid(clips, duration, settings)
        lengths[str(video)] = length = position_count(count, settings)
        inside = rows[["start", "end"]].to_numpy(float)[index].clip(0.0, duration)
        possible[index], actual[index] = learnt_segments(
            grid.to_positions(inside), length, settings
        )
        position[index] = grid.step
    return Fit(position, possible, actual, lengths)


def pyramid_findings(
    config: DetectionConfig, check: str, rows: pd.DataFrame, seconds: Mapping[str, float], *, trains: bool
) -> list[Finding]:  # fmt: skip
    """What does not fit of a subset's segments; of those that train also its videos' lengths."""
    fit, settings = fit_of(config, rows, seconds), config.actionformer
    length = (rows["end"] - rows["start"]).to_numpy()
    most = max(high for _, high in settings.regression_ranges)
    limits = {
        "shorter than a position": length < fit.position,
        "longer than the last range reaches to both sides": length > 2 * most * fit.position,
        "without a point that could learn them": fit.possible == 0,
    }
    if trains:
        shared = (fit.possible > 0) & (fit.actual == 0)
        limits["whose points all learn shorter ones"] = shared
    findings = [*limit_findings(config, check, rows, limits), _learnt(check, fit)]
    if trains:
        findings.append(_levels(settings, length / fit.position))
    if trains and settings.mode == "pad":
        findings.append(_samples(settings, fit, length))
    return findings


def _learnt(check: str, fit: Fit) -> Finding:
    """The share of the segments that the pyramid can learn, which is the recall that it allows."""
    share = float((fit.possible > 0).mean())
    text = f"{100 * share:.1f} % have points that can learn them"
    numbers = {"learnable": share, "learnt": float((fit.actual > 0).mean())}
    if share >= LEAST_RECALL:
        return Finding(check, OK, text, numbers=numbers)
    fix = "a smaller extract.stride or actionformer.feature_step, other actionformer.ranges"
    return Finding(check, WRONG, f"{text}; {fix}", numbers=numbers)


def _levels(settings: ActionFormerSettings, lengths: np.ndarray) -> Finding:
    """How many segments, of this many positions, each level learns, and whether there are too few or too many levels."""
    counts = np.bincount(levels_of(lengths, settings), minlength=settings.levels)
    text = f"segments by level, the finest first: {', '.join(map(str, counts))}"
    numbers = {f"level {level}": float(count) for level, count in enumerate(counts)}
    needed = levels_for(float(np.quantile(lengths, USUAL)))
    if settings.ranges is not None or abs(needed - settings.levels) <= 1:
        return Finding("levels", OK, text, numbers=numbers)
    few = needed > settings.levels
    why = "the longest reach far beyond the last" if few else "the coarsest learn almost nothing"
    return Finding("levels", NOTE, f"{text}; {why}: actionformer.levels={needed}", numbers=numbers)


def _samples(settings: ActionFormerSettings, fit: Fit, length: np.ndarray) -> Finding:
    """How long the videos are beside the `max_length` positions of a training sample."""
    check, lengths = "positions", np.array(list(fit.lengths.values()))
    longest, least = int(lengths.max()), 2 ** (settings.levels - 1)
    fits = -(-longest // least) * least
    long = tuple(v for v, count in fit.lengths.items() if count > settings.max_length)
    cut = int((length > settings.max_length * fit.position).sum())
    text = f"training videos have {int(np.median(lengths))} positions, the longest {longest}; max_length is "
    text += f"{settings.max_length}"
    numbers = {"longest": longest, "median": float(np.median(lengths)), "cut": cut}
    if long:
        text += f": of {len(long)} of {len(lengths)} an epoch trains on only a part"
        text += f"; {cut} segments are longer than any part" if cut else ""
        state = NOTE if cut else OK
        return Finding(
            check, state, text + _shorter(settings, fit, length, fits, cut), long, numbers
        )
    if settings.max_length >= MUCH_PADDING * fits:
        text += f": the rest is padding; actionformer.max_length={fits} holds them all"
        return Finding(check, NOTE, text, numbers=numbers)
    return Finding(check, OK, text, numbers=numbers)


def _shorter(
    settings: ActionFormerSettings, fit: Fit, length: np.ndarray, fits: int, cut: int
) -> str:
    """What would bring segments into a sample that are longer than one."""
    if not cut:
        return ""
    step = settings.feature_step * -(-int((length / fit.position).max()) // settings.max_length)
    shortest = float(np.quantile(length / fit.position, 0.05)) * settings.feature_step / step
    if shortest >= LEAST_IN_SHORTEST:
        return f"; actionformer.feature_step={step} brings them into one"
    return f"; actionformer.max_length={fits} holds the longest video"
