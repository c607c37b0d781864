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
from pipeline.prediction.choosing import Choice, choose, require_classes
from pipeline.prediction.detector import with_changes
from pipeline.prediction.found import Prediction, with_truth
from pipeline.prediction.model import Model
from pipeline.processes.device import pick_device, usable_cores
from pipeline.processes.workers import outcomes
from pipeline.progress import Progress, say
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.ledger import Ledger, is_current
from pipeline.run_folder.lock import locked
from pipeline.run_folder.temporary import clear_temporary
from pipeline.tools.predict.kept import RAW, raw_path, read_raw
from pipeline.tools.predict.outputs import (
    FILES,
    forms_of,
    is_written,
    made_as,
    name_of,
    require_names,
    require_place,
)
from pipeline.tools.predict.together import say_bare, write_together
from pipeline.tools.predict.truth import Truth, truth_of
from pipeline.tools.predict.working import Answer, Job, Seconds, Work, predict_handler

_KEPT = 1  # the form of what is kept of a video


@dataclass(frozen=True)
class Request:
    """What is asked of `predict`.

    `model` is a run's folder or a model file, `folder` where predictions go, `options` the forms to write. `device`,
    `precision` and `workers` take the place of the model's own. `allow_partial`: take damaged videos for what they
    hold. `annotations` are the ground truth.
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
    allow_partial: bool = False
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


def predict(sources: Mapping[str, Source], request: Request) -> Iterator[Prediction]:
    """What the model finds in each video (`find_inputs`), as soon as it is there; first in those done before.

    Files of each are in `folder`/videos, those of all in `folder`. Raises UserError for what is wrong with the model, with
    the folder, and, once all were tried, where more videos failed than are allowed.
    """
    require_place(request.folder)
    require_names(list(sources), request.options)
    model = open_model(request.model)
    choice = replace(request.choice, classes=require_classes(model.heads, request.choice.classes))
    request = replace(request, choice=choice)
    pick_device(_device(model, request))  # before work: it may not be there
    with locked(request.folder):
        for name in (FILES, RAW, FEATURES):  # what killed processes left half written
            clear_temporary(request.folder / name)
        videos = _look(sources, model, request)
        identities = {video: seen.digest for video, seen in videos.seen.items()}
        left_out = LeftOut(
            "predict",
            request.folder,
            allowed=request.allow_failures,
            identities=identities,
            skips=False,
        )
        found: dict[str, Prediction] = {}
        best: dict[str, float] = {}  # the best score of a video of which nothing is wanted
        for whole in _all(videos, model, request, left_out):
            prediction = choose(whole, request.choice, model.heads)
            found[prediction.video] = prediction
            if len(whole.detections) and not len(prediction.detections):
                best[prediction.video] = float(whole.detections["score"].max())
            yield prediction
        say_bare(best, len(found))
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
    for video, one in seen.items():
        changed = video in before and before[video].digest != one.digest
        if changed and raw_path(request.folder, video).exists():
            say(
                f"predict: video {video}: {Path(sources[video])} is another video than before; what is found in it "
                "takes the place of what was found in that"
            )
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
    """What was found in a video, all of it, beside its ground truth."""
    found = read_raw(request.folder, video, videos.sources[video], model)
    return with_truth(found, videos.truth.get(video), model.heads)


def _jobs(videos: _Videos, model: Model, request: Request) -> list[Job]:
    """The videos with anything to do."""
    config = with_changes(model.config, request.precision, request.allow_partial)
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
        allow_partial=request.allow_partial,
    )
    total = sum(videos.seconds.get(job.video, 0.0) for job in jobs if job.raw is None)
    with Progress(round(total), "predict", unit="second") as bar:
        seconds = Seconds(bar, jobs, videos.seconds)
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


def _workers(model: Model, request: Request, jobs: int) -> int:
    """How many processes work at so many jobs."""
    asked = model.config.runtime.workers if request.workers is None else request.workers
    return min(asked, jobs)
