"""What a run has found: the tables of its proposals and detections, by either head."""

from __future__ import annotations

import pandas as pd

from pipeline.results.tables import read_detections, read_proposals
from pipeline.runs.graph import row
from pipeline.runs.run import Run


def proposals_of(run: Run) -> pd.DataFrame:
    """The proposals of a run's evaluation videos: video, start, end (seconds), score.

    Raises UserError if the table is not there, damaged, or of other videos.
    """
    stage = row(run.ways.proposing)
    return read_proposals(run.path(stage.name), run.dataset, run.subsets[1], command=stage.command)


def detections_of(run: Run) -> pd.DataFrame:
    """The detections of a run's evaluation videos: video, start, end (seconds), label, score (and verb, noun).

    Raises UserError if the table is not there, damaged, or of other videos or classes.
    """
    stage = row(run.ways.detecting)
    return read_detections(run.path(stage.name), run.dataset, run.subsets[1], command=stage.command)
