"""Whether times are right, and whether clips, positions and windows suit the annotated segments."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bmn.upper_bound import best_tious
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.data.beyond import beyond_end, how_to_fix
from pipeline.data.names import skipped_ids
from pipeline.data.videos.lengths import Measured
from pipeline.data.windows.cells import video_cells
from pipeline.tools.doctor.findings import NOTE, OK, WRONG, Finding
from pipeline.tools.doctor.fitting import LEAST_RECALL, limit_findings
from pipeline.tools.doctor.pyramid import pyramid_findings


def time_findings(
    config: Config, dataset: Dataset, subset: str, measured: Mapping[str, Measured]
) -> list[Finding]:
    """Segments of a subset that end after their video's end, or end before their start."""
    found = beyond_end(dataset, subset, measured, skipped_ids(config.runtime.skip))
    check, rows = f"times, {subset}", dataset.rows(subset)
    findings = []
    if found.count:
        wrong = found.share > config.dataset.allow_beyond
        text = f"{len(found.late)} of {found.count} segments end after their video's end"
        if len(found.late):
            text += f", {found.begin} of them begin there"
        text += f"; {how_to_fix(found)}" if wrong else ""
        state = WRONG if wrong else NOTE if len(found.late) else OK
        findings.append(Finding(check, state, text, found.examples()))
    if found.odd:
        findings.append(Finding(check, NOTE, f"all {found.count} segments are {found.odd}"))
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
    """How a subset's segments fit clips and the head; `seconds` are the videos' durations."""
    rows = dataset.rows(subset)
    rows = rows[(rows["end"] > rows["start"]) & (rows["video"].map(seconds) > 0)]
    if rows.empty:
        return []
    check = f"segments, {subset}"
    if config.detector.name != "bmn":
        trains = subset == config.dataset.train_subset
        return pyramid_findings(config, check, rows, seconds, trains=trains)
    best, position = np.zeros(len(rows)), np.zeros(len(rows))
    for video, index in rows.groupby("video", sort=False).indices.items():
        cells = video_cells(config.extract, config.bmn, seconds[str(video)])
        best[index] = best_tious(rows[["start", "end"]].to_numpy(float)[index], cells)
        position[index] = cells.grid.seconds_per_position
    length = (rows["end"] - rows["start"]).to_numpy()
    limits = {
        "shorter than a BMN position": length < position,
        "longer than duration_scale positions": length
        > config.bmn.duration_scale * position + 1e-6,
    }
    return [*limit_findings(config, check, rows, limits), _upper_bound(config, check, best)]


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
