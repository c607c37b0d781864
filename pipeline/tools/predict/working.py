"""What a process does with a video: features, proposals, detections, and the files that are wanted of them.

And how far it has come, in seconds of video.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
from pipeline.run_folder.joined.claims import Claim
from pipeline.run_folder.joined.journals import journal_path
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.tools.predict.files.forms import Report
from pipeline.tools.predict.files.kept import RAW, current_raw, read_raw, write_raw
from pipeline.tools.predict.files.outputs import (
    FILES,
    forms_of,
    is_written,
    made_as,
    name_of,
    write_form,
)


@dataclass(frozen=True)
class Task:
    """What is done to each video; the same for all.

    `model`: a run's folder or a model file. `folder` is that of the predictions, and `member` who works there.
    `options`: the forms to write.
    """

    model: Path
    folder: Path
    member: str
    device: str
    precision: str | None
    lanes: int
    choice: Choice
    options: tuple[str, ...]
    save_features: bool
    allow_partial: bool = False


class Job(NamedTuple):
    """A video: its name, where it is, what it is (a digest); `raw`: what was found before, where that is current."""

    video: str
    source: Source
    by: str
    of: str
    raw: Made | None
    truth: pd.DataFrame | None


class Claimed(NamedTuple):
    """A job, and the right to do it."""

    job: Job
    claim: Claim


class Answer(NamedTuple):
    """What came of a video, besides files that are recorded: lines to print, damaged seconds."""

    said: tuple[str, ...]
    damaged: float


def predict_handler(task: Task) -> Handler:
    """What a worker process does with a `Claimed` job; gives an `Answer`, or None if the claim was lost.

    Raises UserError if the model cannot be used.
    """
    process = _Process(task)
    return process.handle


class _Process:
    """A process at work: the networks are made once, where a video needs them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._model = open_model(task.model)
        self._raw, self._written = (
            Ledger(folder, journal_path(folder, task.member))
            for folder in (task.folder / RAW, task.folder / FILES)
        )

    @cached_property
    def _detector(self) -> Detector:
        task = self._task
        return Detector(
            self._model,
            device=task.device,
            precision=task.precision,
            lanes=task.lanes,
            allow_partial=task.allow_partial,
        )

    @cached_property
    def _store(self) -> FeatureStore:
        config = self._detector.config
        made = extracted_by(config.extract, config.backbone.title)
        made = replace(made, weights_digest=state_digest(self._model.classifier))
        return FeatureStore(self._task.folder, made)

    def handle(self, claimed: Claimed, heartbeat: Heartbeat) -> Answer | None:
        """Look at a video, or at what was found in it before, and write its files."""

        def report(seconds: float) -> None:
            heartbeat(f"{seconds:.1f}")

        for ledger in (self._raw, self._written):  # what one that was killed has made of it
            ledger.look()
        job, heads = claimed.job, self._model.heads
        kept = self._found(claimed, report)
        if kept is None:
            return None
        found, raw = kept
        chosen = choose(with_truth(found, job.truth, heads), self._task.choice, heads)
        said = self._write(chosen, claimed, raw.content, lambda seconds: heartbeat())
        damaged = sum(end - start for start, end in found.damaged)
        return None if said is None else Answer(tuple(said), damaged)

    def _found(self, claimed: Claimed, report: Report) -> tuple[Prediction, Made] | None:
        job, folder, features = claimed.job, self._task.folder, self._task.save_features
        raw = job.raw or current_raw(self._raw, job.video, job.by, job.of, features=features)
        if raw is not None:
            return read_raw(folder, job.video, job.source, self._model), raw
        extracted = self._detector.features(job.source, progress=report)
        found = self._detector.detect(job.source, job.video, extracted, progress=report)
        if not claimed.claim.holds():  # this process was suspended, and another makes the video
            return None
        if features:
            self._keep(job, extracted)
        made = write_raw(folder, found, job.by, job.of)
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

    def _write(
        self, chosen: Prediction, claimed: Claimed, of: str, report: Report
    ) -> list[str] | None:
        """Write the files that are not current; the lines to print. None if the claim was lost."""
        said: list[str] = []
        job = claimed.job
        for form in forms_of(self._task.options):
            by = made_as(form, self._task.choice, job.truth, job.source)
            if is_written(self._written, name_of(job.video, form), by, of):
                continue
            if not claimed.claim.holds():
                return None
            said += write_form(chosen, job.source, self._written, form, (by, of), report)
        return said


class Seconds:
    """The seconds of video that are done, shown on a bar."""

    def __init__(self, bar: Progress, jobs: Iterable[Job], seconds: Mapping[str, float]) -> None:
        self._bar, self._shown = bar, 0
        self._length = {job.video: seconds.get(job.video, 0.0) for job in jobs if job.raw is None}
        self._done: dict[str, float] = {}

    def watch(self, claimed: Claimed, about: str = "") -> None:
        """Take what the process at a job says: how many seconds of the video are done."""
        if about:
            self._take({claimed.job.video: float(about)})

    def done(self, videos: Iterable[str]) -> None:
        """Take what others have done."""
        self._take(dict.fromkeys(videos, math.inf))

    def _take(self, seconds: Mapping[str, float]) -> None:
        for video in seconds.keys() & self._length.keys():
            self._done[video] = min(seconds[video], self._length[video])
        done = round(sum(self._done.values()))
        self._bar.update(max(0, done - self._shown))
        self._shown = max(done, self._shown)
