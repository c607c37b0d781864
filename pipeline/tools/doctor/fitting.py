"""What both heads are asked of segments: how many are shorter or longer than the head can represent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.configuration.settings import DetectionConfig
from pipeline.data.clips.geometry import clip_grid
from pipeline.tools.doctor.findings import NOTE, OK, Finding

# Of the segments, at the lowest threshold; below it the grid, not the network, decides the result.
LEAST_RECALL = 0.9


def limit_findings(
    config: DetectionConfig, check: str, rows: pd.DataFrame, limits: Mapping[str, np.ndarray]
) -> list[Finding]:
    """A finding for each limit, of the segments that are beyond it [N]; and for those shorter than a clip."""
    grid = clip_grid(config.extract)
    span = ((grid.frames - 1) * grid.interval + 1) / grid.fps
    length = (rows["end"] - rows["start"]).to_numpy()
    findings = []
    for text, mask in {f"shorter than a clip ({span:.2f} s)": length < span, **limits}.items():
        names = tuple(
            f"{r.video} [{r.start:.2f}, {r.end:.2f}]" for r in rows[mask].itertuples(index=False)
        )
        state = NOTE if names else OK
        findings.append(Finding(check, state, f"{len(names)} of {len(rows)} {text}", names))
    return findings
