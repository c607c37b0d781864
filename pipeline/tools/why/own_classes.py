"""Oracles of a head that names the classes itself: its class scores at points, on true and on other segments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from evaluation import fusion
from evaluation.stages import nearest_proposals, true_segments
from pipeline.results.classification.fusing import presented
from pipeline.runs.found import proposals_of
from pipeline.runs.run import Run
from pipeline.tools.why.candidates import nearest_of
from pipeline.tools.why.points import Points, learning_points, points_of_videos

MOST_CLASSES = 20  # that a segment gets


@dataclass(frozen=True)
class OwnClasses:
    """The oracles of a run on its evaluation videos' `truth`. What they need of the network is made once."""

    run: Run
    truth: pd.DataFrame

    def on_true_segments(self) -> tuple[pd.DataFrame, str]:
        """The classes of the point that learns each true segment, on that segment."""
        return self._tables[0], "classes are those of the point that learns the segment"

    def nearest_before(self) -> tuple[pd.DataFrame, str]:
        """Of each true segment the nearest of all points' segments before NMS, with the classes of its point."""
        return self._tables[1], ""

    def nearest_kept(self) -> tuple[pd.DataFrame, str]:
        """Of each true segment the nearest that was kept, of any class, with the classes of the point it is of."""
        return self._tables[2], ""

    @cached_property
    def _tables(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        settings, config = self.run.detection.actionformer, self.run.detection
        on_truth, on_nearest, on_kept = [], [], []
        proposals = proposals_of(self.run)
        for rows, video, points in points_of_videos(self.run, self.truth):
            truth = self.truth.iloc[rows]
            table = true_segments(truth)
            inside = points.grid.to_positions(table[["start", "end"]].to_numpy())
            own = learning_points(inside, points.length, settings)
            on_truth.append(self._named(table, points, own))
            near = nearest_proposals(truth, points.table(video, config.detections.score_threshold))
            on_nearest.append(self._named(near, points, near["point"].to_numpy(np.int64)))
            kept = nearest_proposals(truth, proposals[proposals["video"] == video])
            on_kept.append(
                self._named(
                    kept, points, nearest_of(kept, (points.segments[:, 0], points.segments[:, 1]))
                )
            )
        return _together(on_truth), _together(on_nearest), _together(on_kept)

    def _named(self, table: pd.DataFrame, points: Points, at: np.ndarray) -> pd.DataFrame:
        """Segments of score 1 with the classes of chosen points, those above the threshold of candidates."""
        settings, heads = self.run.detection.detections, self.run.dataset.heads
        table = table[["video", "start", "end", "score"]].reset_index(drop=True)
        scores = [part[at] for part in points.scores]
        if len(heads) == 1:
            found = fusion.per_proposal(table, scores[0], heads[0], MOST_CLASSES)
        else:
            found = fusion.verb_noun(
                table,
                scores[0],
                scores[1],
                top_verbs=settings.top_verbs,
                top_nouns=settings.top_nouns,
                pairs=settings.pairs,
            )
        return found[found["score"] > settings.score_threshold]


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=["video", "start", "end", "label", "score"])
    return presented(pd.concat(tables, ignore_index=True))
