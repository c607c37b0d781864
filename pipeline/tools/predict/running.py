"""A trained model on many videos: those that are done stay done, the others are dealt to worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from feature_extraction.store import feature_path
from pipeline.data.features import FEATURES
from pipeline.data.videos.finding import Source
from pipeline.data.videos.identity import Sighting, identify, read_sightings, write_sightings
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.lengths import known_lengths, read_lengths, write_lengths
from pipeline.model_files.opening import open_model
from pipeline.prediction.choosing import Choice, choose, require_classes, why_none
from pipeline.prediction.detector import with_precision
from pipeline.prediction.found import Prediction, with_truth
from pipeline.prediction.model import Model
from pipeline.processes.device import pick_device, usable_cores
from pipeline.processes.workers import outcomes
from pipeline.progress import Progress, say
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.ledger import Ledger, is_current
from pipeline.run_folder.lock import locked
from pipeline.tools.predict.inputs import Frames, find_inputs
from pipeline.tools.predict.kept import RAW, raw_path, read_raw
from pipeline.tools.predict.outputs import (
    FILES,
    forms_of,
    is_written,
    made_as,
    name_of,
    require_distinct,
)
from pipeline.tools.predict.together import write_together
from pipeline.tools.predict.truth import Truth, truth_of
from pipeline.tools.predict.working import Answer, Job, Work, predict_handler

_KEPT = 1  # the form of what is kept of a video


@dataclass(frozen=True)
class Request:
    """What is asked of `predict`.

    `model` is a run's folder or a model file, `folder` where predictions go, `options` the forms to write. `device`,
    `precision` and `workers` take the place of the model's own. `annotations` are the ground truth.
    """

    model: Path
    folder: Path
    choice: Choice = field(default_factory=Choice)
    options: tuple[str, ...] = ()
    device: str | None = None
    precision: str | None = None
    workers: int | None = None
    allow_failures: int = 0
    save_features: bool = False
    frames: Frames = field(default_factory=Frames)
    annotations: Path | None = None


@dataclass(frozen=True)
class _Videos:
    """The videos that are asked for: where they lie, what they are, what is true of them, how long they are [s]."""

    sources: Mapping[str, Source]
    seen: Mapping[str, Sighting]
    truth: Mapping[str, Truth]
    seconds: Mapping[str, float]

    def digest(self, video: str) -> str:
        """Which video it is; empty where it cannot be read."""
        return self.seen[video].digest if video in self.seen else ""


def predict(given: Sequence[str], request: Request) -> Iterator[Prediction]:
    """What the model finds in each video, as soon as it is there; first in those that were done before.

    Files of each are in `folder`/videos, those of all in `folder`. Raises UserError for what is wrong with the model, with
    what is given, and, once all were tried, where more videos failed than are allowed.
    """
    model = open_model(request.model)
    choice = replace(request.choice, classes=require_classes(model.heads, request.choice.classes))
    request = replace(request, choice=choice)
    pick_device(_device(model, request))  # before work: it may not be there
    sources = find_inputs(given, request.frames, aside=request.folder)
    require_distinct(list(sources))
    with locked(request.folder):
        videos = _look(sources, model, request)
        identities = {video: seen.digest for video, seen in videos.seen.items()}
        left_out = LeftOut(
            "predict", request.folder, allowed=request.allow_failures, identities=identities
        )
        found: dict[str, Prediction] = {}
        for prediction in _all(videos, model, request, left_out):
            found[prediction.video] = prediction
            yield prediction
        done = [found[video] for video in sources if video in found]
        for line in write_together(done, request.folder, request.options, model):
            say(f"predict: {line}")
        left_out.settle()


def _device(model: Model, request: Request) -> str:
    return request.device or model.config.runtime.device


def _look(sources: Mapping[str, Source], model: Model, request: Request) -> _Videos:
    """The videos as they are, remembered in the folder. Raises UserError where it cannot be written."""
    before = read_sightings(request.folder)
    seen = identify(sources, before)
    if any(before.get(video) != one for video, one in seen.items()):
        write_sightings(request.folder, {**before, **seen})
    identities = {video: one.digest for video, one in seen.items()}
    known = read_lengths(request.folder)
    count = len(known)
    workers = _workers(model, request, len(sources))
    measured = known_lengths(sources, identities, known, workers=workers)
    if len(known) != count:
        write_lengths(request.folder, known)
    truth = truth_of(request.model, request.annotations, identities)
    return _Videos(sources, seen, truth, {v: one.seconds for v, one in measured.items()})


def _all(
    videos: _Videos, model: Model, request: Request, left_out: LeftOut
) -> Iterator[Prediction]:
    """The videos that are done, then the others as they are done."""
    jobs = _jobs(videos, model, request)
    waiting = {job.video for job in jobs}
    for video in videos.sources:
        if video not in waiting:
            yield _shown(video, videos, model, request)
    if len(jobs) < len(videos.sources):
        say(f"predict: {len(videos.sources) - len(jobs)} of {len(videos.sources)} videos are done")
    for job, answer in _worked(jobs, videos, model, request, left_out):
        for text in answer.said:
            say(f"predict: {text}")
        if answer.damaged:
            say(f"predict: video {job.video}: {answer.damaged:.2f} s damaged or missing")
        yield _shown(job.video, videos, model, request)


def _shown(video: str, videos: _Videos, model: Model, request: Request) -> Prediction:
    """What was found in a video, as it is wanted."""
    found = read_raw(request.folder, video, videos.sources[video], model)
    if none := why_none(found, request.choice, model.heads):
        say(f"predict: {none}")
    return choose(
        with_truth(found, videos.truth.get(video), model.heads), request.choice, model.heads
    )


def _jobs(videos: _Videos, model: Model, request: Request) -> list[Job]:
    """The videos with anything to do."""
    config = with_precision(model.config, request.precision)
    made = {"model": model.digest, "precision": config.extract.precision, "kept": _KEPT}
    by = fingerprint(made | {"partial": config.extract.allow_partial})
    raw, written = Ledger(request.folder / RAW), Ledger(request.folder / FILES)
    for ledger in (raw, written):  # a line a file
        if ledger.lines:
            ledger.write()
    jobs = []
    for video, source in videos.sources.items():
        line, of = raw.get(video), videos.digest(video)
        current = bool(of) and is_current(raw_path(request.folder, video), line, by, of)
        if request.save_features:
            current = current and feature_path(request.folder / FEATURES, video).exists()
        truth = videos.truth.get(video)
        job = Job(video, source, by, of, line if current else None, truth)
        if job.raw is None or not _is_done(job, job.raw.content, written, request):
            jobs.append(job)
    return jobs


def _is_done(job: Job, of: str, written: Ledger, request: Request) -> bool:
    """Whether all files that are wanted of a video are there."""
    return all(
        is_written(
            written,
            name_of(job.video, form),
            made_as(form, request.choice, job.truth, job.source),
            of,
        )
        for form in forms_of(request.options)
    )


def _worked(
    jobs: Sequence[Job], videos: _Videos, model: Model, request: Request, left_out: LeftOut
) -> Iterator[tuple[Job, Answer]]:
    """The jobs as they are done; videos that fail are counted."""
    workers = _workers(model, request, len(jobs))
    work = Work(
        model=request.model,
        folder=request.folder,
        device=_device(model, request),
        precision=request.precision,
        lanes=max(1, usable_cores() // max(1, workers)),
        choice=request.choice,
        options=request.options,
        save_features=request.save_features,
    )
    total = sum(videos.seconds.get(job.video, 0.0) for job in jobs if job.raw is None)
    with Progress(round(total), "predict", unit="second") as bar:
        seconds = _Seconds(bar, jobs, videos.seconds)
        stream = outcomes(
            predict_handler,
            (work,),
            jobs,
            workers=workers,
            timeout=SILENCE_SECONDS,
            watch=seconds.watch,
        )
        for outcome in stream:
            job: Job = outcome.job
            seconds.watch(job, "inf")
            if outcome.reason is not None:
                left_out.failed(job.video, outcome.reason)
                continue
            yield job, outcome.result


class _Seconds:
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


def _workers(model: Model, request: Request, jobs: int) -> int:
    """How many processes work at so many jobs."""
    asked = model.config.runtime.workers if request.workers is None else request.workers
    return min(asked, jobs)
