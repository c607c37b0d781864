"""A run's class scores of any segments: of those it has proposed, of true ones, of whole videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from feature_extraction.backbones import VideoNetwork
from pipeline.configuration.sections.detection import ClassifySettings
from pipeline.data.scores.given import scores_of
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes.workers import outcomes
from pipeline.progress import Progress, say
from pipeline.results.classification.class_scores import Parts
from pipeline.results.classification.classifying import scores_on_features, times_of
from pipeline.results.classification.feature_classifier import load_feature_classifier
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.ledger import Ledger
from pipeline.runs.inputs.fields import made_by
from pipeline.runs.run import Run
from pipeline.stages.classify import score_handler
from pipeline.training.networks.classifier import load_classifier

Scores = dict[str, list[np.ndarray]]  # by video, one array per head: [rows, classes]
DECODED = "why"  # below the folder of `eval`


@dataclass(frozen=True)
class Classes:
    """What a run says of segments (video, start, end), by the way its settings have, or by another."""

    run: Run

    @cached_property
    def model(self) -> VideoNetwork:
        """The run's classifier. Raises UserError if it has none or it is damaged."""
        classes, folder = self.run.dataset.num_classes, self.run.folder
        if self.run.config.finetune.source == "features":
            return load_feature_classifier(classes, folder, self.run.device)
        return load_classifier(self.run.config.backbone, classes, folder, self.run.device)

    def with_features(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of videos that have features."""
        there = [v for v in table["video"].unique() if self.run.features.path(v).is_file()]
        return table[table["video"].isin(there)].reset_index(drop=True)

    def given(self, table: pd.DataFrame) -> Scores:
        """The scores that `classify.scores` has of the videos of a table."""
        rows = scores_of(self.run.detection, self.run.dataset).rows
        return {video: [rows[video][None]] for video in table["video"].unique() if video in rows}

    def on_features(self, table: pd.DataFrame, settings: ClassifySettings) -> Scores:
        """Scores on stored features, of each row or, with mode `video`, one row per video."""
        found: Scores = {}
        means = self.run.config.finetune.source == "features"
        for video, rows in table.groupby("video", sort=False).indices.items():
            found[video] = scores_on_features(
                self.model,
                self.run.features(video),
                table.iloc[rows],
                settings,
                self.run.device,
                on_means=means,
            )
        return found

    def decoded(self, table: pd.DataFrame) -> Scores:
        """Scores of clips decoded at each row, kept beside the figures of `eval`.

        Raises UserError if a video is not there or does not decode.
        """
        run = self.run
        settings, grid = run.detection.classify, run.features.grid
        groups = table.groupby("video", sort=False).indices
        times = {
            video: times_of(settings, table.iloc[rows], grid) for video, rows in groups.items()
        }
        known = run.sightings.identities
        of = {
            video: fingerprint({"video": known.get(video), "times": at.tolist()})
            for video, at in times.items()
        }
        parts = Parts(run.path("eval") / DECODED, made_by(run.stage("classify").fields), of)
        ledger = Ledger(parts.folder)
        todo = parts.todo(list(times), ledger)
        paths = run.sources(todo, LeftOut("why"))
        jobs = [(video, paths[video], times[video], None) for video in todo if video in paths]
        made = outcomes(
            score_handler,
            (run, run.dataset.num_classes, parts),
            jobs,
            workers=run.config.runtime.workers,
            timeout=SILENCE_SECONDS,
        )
        if jobs:
            say(f"why: decoding clips at the true segments of {len(jobs)} videos")
        with Progress(len(jobs), "why", unit="video") as bar:
            for outcome in made:
                if outcome.reason is not None:
                    raise UserError(f"{outcome.job[0]}: {outcome.reason}")
                ledger.note(outcome.result)
                bar.update(1)
        return {video: parts.read(video) for video in times}


def rows_of(scores: Mapping[str, list[np.ndarray]], nearest: Mapping[str, np.ndarray]) -> Scores:
    """The scores of some rows of each video, by their numbers."""
    return {video: [head[rows] for head in scores[video]] for video, rows in nearest.items()}
