"""A run's detections with one part corrected, a table each: which stage costs the points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bmn.upper_bound import Cells, nearest_cells
from evaluation.stages import (
    nearest_proposals,
    true_segments,
    with_segments,
    with_true_classes,
)
from pipeline.configuration.sections.detection import ClassifySettings
from pipeline.data.windows.placing import window_offsets
from pipeline.data.windows.positions import sequence, time_grid
from pipeline.errors import UserError
from pipeline.results.classification.fusing import fused
from pipeline.runs.found import proposals_of
from pipeline.runs.run import Run
from pipeline.tools.why.candidates import nearest_candidates, scores_of_kept
from pipeline.tools.why.classes import Classes, Scores
from pipeline.tools.why.own_classes import OwnClasses
from pipeline.tools.why.points import learnable

_Make = Callable[[], tuple[pd.DataFrame, str]]


@dataclass(frozen=True)
class Oracle:
    """Detections with one part corrected. `what` says which; without a `table`, `note` says why there is none."""

    name: str
    what: str
    table: pd.DataFrame | None
    note: str = ""


def oracles(run: Run, truth: pd.DataFrame) -> list[Oracle]:
    """The oracles of a run, in the order they are shown. One that cannot be made says why."""
    made = _Making(run, truth, Classes(run))
    own = OwnClasses(run, truth) if run.ways.own_classes else None
    by = own or made  # our classes
    grid = (
        "the best segments that the grid can express"
        if run.ways.head == "bmn"
        else "the segments that the pyramid can learn"
    )
    # From the annotated segments on, each can be no better than the one before, ties and repeats aside.
    rows: list[tuple[str, str, _Make]] = [
        ("true classes", "true classes, on our proposals", made.true_classes),
        ("true segments", "our classes, on the annotated segments", by.on_true_segments),
        ("grid", f"true classes, on {grid}", made.on_grid),
        (
            "before NMS",
            "our classes, on the nearest of all proposals before NMS",
            by.nearest_before,
        ),
        ("nearest kept", "our classes, on the nearest proposals that NMS kept", by.nearest_kept),
    ]
    if own is None:
        other = "of each proposal" if made.by_video else "of the whole video"
        what = f"our proposals, classes {other} instead"
        rows.append((f"classes {other}", what, made.other_classes))
    found = []
    for name, what, make in rows:
        try:
            table, note = make()
            found.append(Oracle(name, what, table, note))
        except UserError as error:
            found.append(Oracle(name, what, None, error.message))
    return found


@dataclass(frozen=True)
class _Making:
    run: Run
    truth: pd.DataFrame
    classes: Classes

    @property
    def by_video(self) -> bool:
        """Whether a whole video gets class scores, and not each proposal."""
        return self.settings.scores is not None or self.settings.mode == "video"

    @property
    def settings(self) -> ClassifySettings:
        return self.run.detection.classify

    @property
    def proposals(self) -> pd.DataFrame:
        run = self.run
        return proposals_of(run)

    def true_classes(self) -> tuple[pd.DataFrame, str]:
        return with_true_classes(self.proposals, self.truth), ""

    def on_true_segments(self) -> tuple[pd.DataFrame, str]:
        there = true_segments(self.truth)
        if self.settings.scores is not None:
            scores = self.classes.given(there)
            there = there[there["video"].isin(list(scores))].reset_index(drop=True)
            return self._fused(there, scores), ""
        there = self.classes.with_features(there)
        if not self.settings.decodes:
            return self._fused(there, self.classes.on_features(there, self.settings)), ""
        try:
            return self._fused(there, self.classes.decoded(there)), ""
        except UserError as error:
            if self.run.has_imported_features:
                raise
            note = f"on stored features, because clips cannot be decoded ({error.message})"
            return self._fused(there, self.classes.on_features(there, self.settings)), note

    def on_grid(self) -> tuple[pd.DataFrame, str]:
        run, settings = self.run, self.run.detection.bmn
        if run.ways.head != "bmn":
            return with_segments(self.truth, learnable(run, self.truth)), ""
        best = np.full((len(self.truth), 2), np.nan)
        truth = self.truth[["start", "end"]].to_numpy(np.float64)
        lasts = truth[:, 1] > truth[:, 0]
        for video, rows in self.truth.groupby("video", sort=False).indices.items():
            if not run.features.path(video).is_file():
                continue
            features = run.features(video)
            length = len(sequence(features, settings))
            cells = Cells(
                time_grid(features, settings),
                length,
                window_offsets(length, settings),
                settings.temporal_scale,
                settings.duration_scale,
                settings.boundary_center,
            )
            rows = rows[lasts[rows]]
            best[rows] = nearest_cells(truth[rows], cells)[0]
        return with_segments(self.truth, best), ""

    def nearest_kept(self) -> tuple[pd.DataFrame, str]:
        kept = self.proposals
        return self._fused_kept(kept, nearest_proposals(self.truth, kept))

    def nearest_before(self) -> tuple[pd.DataFrame, str]:
        return self._fused_kept(self.proposals, nearest_candidates(self.run, self.truth))

    def other_classes(self) -> tuple[pd.DataFrame, str]:
        if self.settings.scores is not None:
            raise UserError("the classes come from a file (classify.scores)")
        mode = "proposal" if self.settings.mode == "video" else "video"
        settings = self.settings.model_copy(update={"mode": mode, "source": "features"})
        kept = self.classes.with_features(self.proposals)
        scores = self.classes.on_features(kept, settings)
        return fused(settings, self.run.dataset.heads, kept, scores), ""

    def _fused_kept(self, kept: pd.DataFrame, table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
        """Detections of chosen proposals by the run's own classes."""
        if self.settings.decodes:
            table = table[table["video"].isin(kept["video"])].reset_index(drop=True)
            note = "each with the class of the nearest kept proposal"
            return self._fused(table, scores_of_kept(self.run, kept, table)), note
        if self.settings.scores is not None:
            return self._fused(table, self.classes.given(table)), ""
        table = self.classes.with_features(table)
        return self._fused(table, self.classes.on_features(table, self.settings)), ""

    def _fused(self, table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
        return fused(self.settings, self.run.dataset.heads, table, scores)
