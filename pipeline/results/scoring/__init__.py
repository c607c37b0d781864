"""Detections to mAP, tables of figures, and official result files: what the eval stage and `score` share.

Knows no run: it is given settings, annotations and tables.
"""

from __future__ import annotations

from pipeline.results.scoring.best_f1 import best_f1
from pipeline.results.scoring.given import Given, read_scored, score_file
from pipeline.results.scoring.report import map_rows, map_table
from pipeline.results.scoring.result_files import SUBMISSION, write_result_files
from pipeline.results.scoring.tasks import (
    as_thresholds,
    recall_figures,
    score_tasks,
    task_columns,
    task_names,
    truth_rows,
)

__all__ = [
    "Given",
    "SUBMISSION",
    "as_thresholds",
    "best_f1",
    "map_rows",
    "map_table",
    "read_scored",
    "recall_figures",
    "score_file",
    "score_tasks",
    "task_columns",
    "task_names",
    "truth_rows",
    "write_result_files",
]
