"""A trained model's detections against those of the run that trained it: exactly, in whatever order."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.prediction.detector import Detector
from pipeline.prediction.from_run import model_of_run
from pipeline.runs.found import detections_of, proposals_of
from pipeline.runs.run import run_of


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in ("score", "start", "end", "label") if name in table]
    return table.sort_values(columns, ascending=False, ignore_index=True)


def predicts_the_same(folder: Path, *, lanes: int = 1) -> pd.DataFrame:
    """Hold the model of a run against its tables, on every validation video; its detections."""
    run = run_of(folder)
    subset = run.subsets[1]
    detections, proposals = detections_of(run), proposals_of(run)
    detector = Detector(model_of_run(folder), device="cpu", lanes=lanes)
    videos = run.dataset.video_ids(subset)
    left_out = run.left_out(run.ways.detecting)
    sources = run.sources(videos, left_out)
    assert list(sources) == videos and len(detections) and len(proposals)
    for video in videos:
        found = detector.predict(sources[video], video)
        stored = run.features(video)
        assert found.duration == stored.duration
        for mine, theirs in ((found.detections, detections), (found.proposals, proposals)):
            theirs = theirs[theirs["video"] == video].reset_index(drop=True)
            pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
        assert found.detections["score"].is_monotonic_decreasing
    return detections
