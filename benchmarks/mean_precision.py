"""mAP of an EPIC-KITCHENS-100 validation submission: verb, noun and action at five thresholds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.baselines.detection import baseline_detection_map
from benchmarks.drawn import draw_submission, read_or_draw_truth, with_label
from benchmarks.measure import Cost, Form, Row, Work, absolute_difference, compare
from evaluation import detection_map

STAGE = "mAP"
TASKS = ("verb", "noun", "action")
TIOUS = np.linspace(0.1, 0.5, 5)
DETECTIONS = 200_000

Tables = dict[str, tuple[pd.DataFrame, pd.DataFrame]]


def run(quick: bool) -> list[Row]:
    """Seconds a submission; every class's average precision at every threshold is compared."""
    truth, kind = read_or_draw_truth(quick)
    found = draw_submission(truth, 300 if quick else DETECTIONS)
    tables = {task: (with_label(truth, task), with_label(found, task)) for task in TASKS}
    # Every detection's five columns are read once per task.
    cost = Cost(0.0, 40.0 * len(found) * len(TASKS))
    text = (
        f"{truth['video'].nunique()} videos, {len(truth)} segments ({kind}), "
        f"{len(found)} detections; verb, noun, action; 5 thresholds"
    )
    return compare(
        Work(STAGE, text, absolute_difference, "points"),
        Form("iterrows, a loop over thresholds", lambda: baseline_points(tables), once=not quick),
        [Form("all classes and thresholds at once", lambda: our_points(tables), cost=cost)],
        runs=1 if quick else 5,
    )


def our_points(tables: Tables) -> list[np.ndarray]:
    """Average precision in points of 100, [classes, thresholds] a task."""
    return [100 * detection_map(*pair, TIOUS).ap for pair in tables.values()]


def baseline_points(tables: Tables) -> list[np.ndarray]:
    """The same a row at a time."""
    return [100 * baseline_detection_map(*pair, TIOUS) for pair in tables.values()]
