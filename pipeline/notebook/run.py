"""A finished run, read: its detections, proposals, annotations, features and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset
from pipeline.data.remote.videos import path_of
from pipeline.errors import UserError
from pipeline.notebook.detections import Detections
from pipeline.notebook.files import PathLike
from pipeline.notebook.known import no_rows, require_videos
from pipeline.prediction.found import NO_CURVES, Prediction, names_of
from pipeline.printing import printable
from pipeline.progress import say
from pipeline.results.figures import RESULTS, read_results
from pipeline.results.tables import DETECTIONS, PROPOSALS, read_given
from pipeline.run_folder.manifests import changed_outputs, read_manifest
from pipeline.runs.found import detections_of, proposals_of
from pipeline.runs.graph import STAGES, row
from pipeline.runs.run import Run as PipelineRun
from pipeline.runs.run import run_of

if TYPE_CHECKING:
    from pipeline.data.features.timed import Features
    from pipeline.data.videos.finding import Source
    from pipeline.notebook.detector import Detector


class Run:
    """A run folder, read and never written. Each part is read once, on first use.

    The videos need not be there. Raises UserError if the folder holds no run, and if what is asked for has not been made.
    A result that does not match the present settings is reported on standard error.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        self._run: PipelineRun = run_of(self.folder)

    @cached_property
    def config(self) -> Config:
        """The run's settings."""
        return self._run.config

    @property
    def annotations(self) -> pd.DataFrame:
        """The annotations: video, subset, start, end (seconds), label; EPIC-KITCHENS adds verb and noun."""
        return self._run.dataset.annotations.copy()

    @property
    def videos(self) -> pd.DataFrame:
        """The videos of the annotations: video, subset, duration (seconds) and fps, NaN where these do not say."""
        return self._run.dataset.videos.copy()

    @cached_property
    def proposals(self) -> pd.DataFrame:
        """The proposals of the evaluated videos: video, start, end (seconds), score."""
        stage = self._run.ways.proposing
        self._require(stage)
        if self._dataset is None:
            return read_given(self._run.path(stage) / PROPOSALS)
        return proposals_of(self._run)

    @cached_property
    def detections(self) -> Detections:
        """The detections of the evaluated videos, with the ground truth beside them."""
        stage = self._run.ways.detecting
        self._require(stage)
        if self._dataset is None:
            table = read_given(self._run.path(stage) / DETECTIONS)
        else:
            table = detections_of(self._run)
        return Detections(table, predictions=self._predictions(table))

    @cached_property
    def results(self) -> dict[str, Any]:
        """The figures of `eval`, in percent, as results.json has them."""
        self._require("eval")
        return read_results(self._run.path("eval") / RESULTS, "eval")

    def features(self, video: str) -> Features:
        """A video's features float32 [clips, C] with their `times`. Raises UserError naming what is not there."""
        if self._dataset is not None:
            require_videos([video], self._dataset.videos["video"])
        return self._run.features(video)

    def detector(self, *, device: str = "auto", precision: str | None = None) -> Detector:
        """What the run has trained, ready for other videos; as `tada_loc.load(folder)`."""
        from pipeline.notebook.detector import load

        return load(self.folder, device=device, precision=precision)

    def __repr__(self) -> str:
        done = [stage.name for stage in STAGES if not stage.alone and self._is_done(stage.name)]
        text = f"{self.folder}, {self.config.backbone.title}; done: {', '.join(done) or 'nothing'}"
        return f"<tada_loc.Run {printable(text)}>"

    @cached_property
    def _dataset(self) -> Dataset | None:
        """The data set; None where its annotations cannot be read any more, which is said."""
        try:
            return self._run.dataset
        except UserError as error:
            say(
                f"{self.folder}: read without annotations, so nothing is checked against them: {error}"
            )
            return None

    def _is_done(self, stage: str) -> bool:
        try:
            manifest = read_manifest(self._run.path(stage))
        except UserError:
            return False
        return manifest is not None and manifest.complete

    def _require(self, stage: str) -> None:
        """Refuse what a stage has not made. Raises UserError; what is not current is said."""
        folder, again = self._run.path(stage), f"`tada-loc run --run-dir {self.folder}`"
        manifest = read_manifest(folder)
        if manifest is None or not manifest.complete:
            how = "is not finished" if manifest else "has not been done"
            raise UserError(f"{self.folder}: {stage} {how}; run {again}")
        changed = changed_outputs(folder, row(stage).outputs, manifest)
        if changed:
            raise UserError(f"{folder}: {changed[0]}; run {again}, which makes it again")
        if self._dataset is not None:
            state = self._run.state(stage)
            if state.state != "complete":
                say(f"{self.folder}: {stage} is not current ({state.why}); {again} makes it again")

    def _predictions(self, detections: pd.DataFrame) -> list[Prediction]:
        """What is known of each evaluated video beside its detections."""
        ids = list(dict.fromkeys([*self._evaluated(), *detections["video"]]))
        lengths = self._lengths(ids)
        sources: Mapping[str, Source] = {}
        truth: dict[str, pd.DataFrame] | None = None
        if self._dataset is not None:
            sources = self._run.sightings.sources
            truth = by_video(self._dataset.rows(self._run.subsets[1])) or None
        proposals = by_video(self.proposals)
        found = by_video(detections)
        heads = () if self._dataset is None else self._dataset.heads
        names = names_of(heads, detections) if heads else {}
        return [
            Prediction(
                video=video,
                source=path_of(sources.get(video, Path(video))),
                duration=lengths.get(video) or _last([found, proposals, truth or {}], video),
                detections=detections.iloc[:0],
                proposals=proposals.get(video, no_rows(("video", "start", "end", "score"))),
                curves=NO_CURVES,
                model=self.folder.resolve().name,
                digest="",
                names=names,
                classes=heads[0] if len(heads) == 1 else (),
                truth=None if truth is None else truth.get(video, no_rows()),
            )
            for video in ids
        ]

    def _evaluated(self) -> list[str]:
        """The evaluated videos that were not skipped."""
        ids = [] if self._dataset is None else self._dataset.video_ids(self._run.subsets[1])
        return [video for video in ids if video not in self._run.skipped]

    def _lengths(self, videos: Iterable[str]) -> dict[str, float]:
        """The seconds of each video, as it was measured, else as its features or its annotations say."""
        found: dict[str, float] = {}
        if self._dataset is not None:
            table = self._dataset.videos.dropna(subset="duration")
            found = dict(zip(table["video"], table["duration"].astype(float), strict=True))
            known = self._run.lengths(videos, look=False)
            found |= {video: one.seconds for video, one in known.items() if one.seconds}
        others = [video for video in videos if video not in found]
        return found | {v: one.seconds for v, one in self._run.features.lengths(others).items()}


def by_video(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each video."""
    return {str(video): rows for video, rows in table.groupby("video", sort=False)}


def _last(tables: Iterable[dict[str, pd.DataFrame]], video: str) -> float:
    """The end of what lies last in a video, seconds."""
    return max((float(one[video]["end"].max()) for one in tables if video in one), default=0.0)
