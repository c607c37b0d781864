"""What a process does with a video: features, proposals, detections, and the files that are wanted of them.

And how far it has come, in seconds of video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from feature_extraction.weights.loading import state_digest
from pipeline.data.features.made import extracted_by
from pipeline.data.features.store import FeatureStore
from pipeline.data.videos.finding import Source
from pipeline.model_files.opening import open_model
from pipeline.prediction.choosing import Choice, choose
from pipeline.prediction.detector import Detector, Extracted
from pipeline.prediction.found import Prediction, with_truth
from pipeline.processes.workers import Handler, Heartbeat
from pipeline.progress import Progress
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.tools.predict.forms import Report
from pipeline.tools.predict.kept import RAW, read_raw, write_raw
from pipeline.tools.predict.outputs import (
    FILES,
    forms_of,
    is_written,
    made_as,
    name_of,
    write_form,
)


@dataclass(frozen=True)
class Work:
    """What is done to each video; the same for all.

    `model`: a run's folder or a model file. `folder` is that of the predictions. `options`: the forms to write.
    """

    model: Path
    folder: Path
    device: str
    precision: str | None
    lanes: int
    choice: Choice
    options: tuple[str, ...]
    save_features: bool
    allow_partial: bool = False


class Job(NamedTuple):
    """A video: its name, where it lies, what it is (a digest); `raw`: what was found before, where that is current."""

    video: str
    source: Source
    by: str
    of: str
    raw: Made | None
    truth: pd.DataFrame | None


class Answer(NamedTuple):
    """What came of a video, besides files that are recorded: lines that a user is told, damaged seconds."""

    said: tuple[str, ...]
    damaged: float


def predict_handler(work: Work) -> Handler:
    """What a worker process does with a `Job`; gives an `Answer`. Raises UserError where the model cannot be used."""
    process = _Process(work)
    return process.handle


class _Process:
    """A process at work: the networks are made once, where a video needs them."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._model = open_model(work.model)
        self._raw, self._written = Ledger(work.folder / RAW), Ledger(work.folder / FILES)

    @cached_property
    def _detector(self) -> Detector:
        work = self._work
        return Detector(
            self._model,
            device=work.device,
            precision=work.precision,
            lanes=work.lanes,
            allow_partial=work.allow_partial,
        )

    @cached_property
    def _store(self) -> FeatureStore:
        config = self._detector.config
        made = extracted_by(config.extract, config.backbone.title)
        made = replace(made, weights_digest=state_digest(self._model.classifier))
        return FeatureStore(self._work.folder, made)

    def handle(self, job: Job, heartbeat: Heartbeat) -> Answer:
        """Look at a video, or at what was found in it before, and write its files."""

        def report(seconds: float) -> None:
            heartbeat(f"{seconds:.1f}")

        heads = self._model.heads
        found, raw = self._found(job, report)
        chosen = choose(with_truth(found, job.truth, heads), self._work.choice, heads)
        said = self._write(chosen, job, raw.content, lambda seconds: heartbeat())
        return Answer(tuple(said), sum(end - start for start, end in found.damaged))

    def _found(self, job: Job, report: Report) -> tuple[Prediction, Made]:
        if job.raw is not None:
            return read_raw(self._work.folder, job.video, job.source, self._model), job.raw
        extracted = self._detector.features(job.source, progress=report)
        if self._work.save_features:
            self._keep(job, extracted)
        found = self._detector.detect(job.source, job.video, extracted, progress=report)
        made = write_raw(self._work.folder, found, job.by, job.of)
        self._raw.note(made)
        return found, made

    def _keep(self, job: Job, extracted: Extracted) -> None:
        meta = replace(
            self._store.made,
            video=job.video,
            source_duration=extracted.features.duration,
            source=job.of,
        )
        self._store.save(extracted.features.array, meta)

    def _write(self, chosen: Prediction, job: Job, of: str, report: Report) -> list[str]:
        """Write the files that are not current; what a user is told."""
        said: list[str] = []
        for form in forms_of(self._work.options):
            by = made_as(form, self._work.choice, job.truth, job.source)
            if not is_written(self._written, name_of(job.video, form), by, of):
                said += write_form(chosen, job.source, self._written, form, (by, of), report)
        return said


class Seconds:
    """The seconds of video that are done, shown on a bar."""

    def __init__(self, bar: Progress, jobs: Sequence[Job], seconds: Mapping[str, float]) -> None:
        self._bar, self._shown = bar, 0
        self._length = {job.video: seconds.get(job.video, 0.0) for job in jobs if job.raw is None}
        self._done: dict[str, float] = {}

    def watch(self, job: Job, about: str = "") -> None:
        """Take what the process at a job says: how many seconds of the video are done."""
        if job.video in self._length and about:
            self._done[job.video] = min(float(about), self._length[job.video])
            done = round(sum(self._done.values()))
            self._bar.update(max(0, done - self._shown))
            self._shown = max(done, self._shown)
