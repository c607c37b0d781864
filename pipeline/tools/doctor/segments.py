"""Whether clips, positions and windows suit the annotated segments."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bmn.upper_bound import best_tious
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.data.beyond import beyond_end, how_to_fix
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.videos.left_out import skipped_ids
from pipeline.data.videos.lengths import Measured
from pipeline.data.windows.cells import video_cells
from pipeline.tools.doctor.findings import NOTE, OK, WRONG, Finding

# At the lowest threshold; below it the grid, not the network, decides the result.
LEAST_RECALL = 0.9


def time_findings(
    config: Config, dataset: Dataset, subset: str, measured: Mapping[str, Measured]
) -> list[Finding]:
    """Segments of a subset that run behind their video's end, or end before their start."""
    found = beyond_end(dataset, subset, measured, skipped_ids(config.runtime.skip))
    check, rows = f"times, {subset}", dataset.rows(subset)
    findings = []
    if found.count:
        wrong = found.share > config.dataset.allow_beyond
        text = f"{len(found.late)} of {found.count} segments run behind their video's end"
        if len(found.late):
            text += f", {found.begin} of them begin there"
        text += f"; {how_to_fix(found)}" if wrong else ""
        state = WRONG if wrong else NOTE if len(found.late) else OK
        findings.append(Finding(check, state, text, found.examples()))
    if found.odd:
        findings.append(Finding(check, NOTE, f"all {found.count} segments lie {found.odd}"))
    swapped = rows[rows["end"] < rows["start"]]
    if len(swapped):
        most = 2 * len(swapped) > len(rows)
        text = f"{len(swapped)} of {len(rows)} segments end before their start"
        text += "; swap start and end" if most else ", and are not trained on"
        names = tuple(
            f"{row.video}: {row.start:.10g} to {row.end:.10g}"
            for row in swapped.itertuples(index=False)
        )
        findings.append(Finding(check, WRONG if most else NOTE, text, names))
    return findings


def segment_findings(
    config: DetectionConfig, dataset: Dataset, subset: str, seconds: Mapping[str, float]
) -> list[Finding]:
    """How a subset's segments fit clips and BMN's cells; `seconds` are the videos' durations."""
    rows = dataset.rows(subset)
    rows = rows[(rows["end"] > rows["start"]) & (rows["video"].map(seconds) > 0)]
    if rows.empty:
        return []
    best, position = np.zeros(len(rows)), np.zeros(len(rows))
    for video, index in rows.groupby("video", sort=False).indices.items():
        cells = video_cells(config.extract, config.bmn, seconds[str(video)])
        best[index] = best_tious(rows[["start", "end"]].to_numpy(float)[index], cells)
        position[index] = cells.grid.seconds_per_position
    check = f"segments, {subset}"
    return [*_lengths(config, check, rows, position), _upper_bound(config, check, best)]


def _lengths(
    config: DetectionConfig, check: str, rows: pd.DataFrame, position: np.ndarray
) -> list[Finding]:
    """Segments shorter than a clip or a position [s, one a segment], or longer than any cell."""
    length = (rows["end"] - rows["start"]).to_numpy()
    grid = clip_grid(config.extract)
    span = ((grid.frames - 1) * grid.interval + 1) / grid.fps
    longest = config.bmn.duration_scale * position
    limits = {
        f"shorter than a clip ({span:.2f} s)": length < span,
        "shorter than a BMN position": length < position,
        "longer than duration_scale positions": length > longest + 1e-6,
    }
    findings = []
    for text, mask in limits.items():
        names = tuple(
            f"{r.video} [{r.start:.2f}, {r.end:.2f}]" for r in rows[mask].itertuples(index=False)
        )
        state = NOTE if names else OK
        findings.append(Finding(check, state, f"{len(names)} of {len(rows)} {text}", names))
    return findings


def _upper_bound(config: DetectionConfig, check: str, best: np.ndarray) -> Finding:
    """The recall that BMN's cells allow; `best` are the tIoUs of the segments with their nearest cells."""
    thresholds = config.eval.iou
    recalls = [float((best >= tiou - 1e-9).mean()) for tiou in thresholds]
    shown = ", ".join(f"{100 * r:.1f} @{t:g}" for t, r in zip(thresholds, recalls, strict=True))
    text = f"best recall that T x D allows, %: {shown}"
    numbers = {f"{tiou:g}": recall for tiou, recall in zip(thresholds, recalls, strict=True)}
    if recalls[0] >= LEAST_RECALL:
        return Finding(check, OK, text, numbers=numbers)
    fix = "other bmn.temporal_scale, duration_scale or feature_step, or extract.stride"
    return Finding(check, WRONG, f"{text}; {fix}", numbers=numbers)
