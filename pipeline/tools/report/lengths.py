"""Lengths of the true segments against what a run's head can find."""

from __future__ import annotations

import pandas as pd

from pipeline.configuration.settings import DetectionConfig
from pipeline.pages.report_values import Durations


def durations_of(config: DetectionConfig, truth: pd.DataFrame, step: float) -> Durations:
    """Lengths of true segments beside a position, of `step` seconds, and the longest that the head can find."""
    seconds = (truth["end"] - truth["start"]).to_numpy(float)
    bmn, former = config.bmn, config.actionformer
    by_bmn = config.detector.name == "bmn"
    if (bmn if by_bmn else former).mode == "rescale":
        count = bmn.temporal_scale if by_bmn else former.max_length
        said = f"Every video is {count} positions long, so what can be found hangs on its length."
        return Durations(seconds, None, None, [said])
    if by_bmn:
        longest, key = step * bmn.duration_scale, "bmn.duration_scale"
    else:
        longest, key = step * former.max_length, "actionformer.max_length"
    what = "longest proposal" if by_bmn else "longest training sample"
    short, long = int((seconds < step).sum()), int((seconds > longest).sum())
    notes = [
        f"{count:,} of {len(seconds):,} segments ({100 * count / len(seconds):.1f} %) are {said}."
        for count, said in (
            (short, f"shorter than one position ({step:.3g} s; extract.stride)"),
            (long, f"longer than the {what} ({longest:.3g} s; {key})"),
        )
        if count
    ]
    return Durations(
        seconds, step, longest, notes or ["All segments are within what the grid can propose."]
    )
