"""A trained model on many videos, by any number of processes: each does what is free, and the one that finds all done finishes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.data.videos.finding import Source
from pipeline.data.videos.left_out import LeftOut
from pipeline.model_files.opening import open_model
from pipeline.prediction.choosing import require_classes
from pipeline.prediction.found import Prediction
from pipeline.prediction.model import Model
from pipeline.processes.device import pick_device, usable_cores
from pipeline.processes.workers import outcomes
from pipeline.progress import Progress, say
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.run_folder.joined.opening import joins, opening
from pipeline.run_folder.joined.sharing import Work, at_work
from pipeline.run_folder.joined.todo import Todo
from pipeline.run_folder.lock import locked
from pipeline.stages.shares import Shares
from pipeline.tools.predict.ending import Found, ToMake, finish, keep_records, was_finished
from pipeline.tools.predict.files.outputs import require_names, require_place
from pipeline.tools.predict.looking import Videos, asked_as, jobs_of, look
from pipeline.tools.predict.request import Request
from pipeline.tools.predict.working import Answer, Claimed, Job, Seconds, Task, predict_handler


def predict(sources: Mapping[str, Source], request: Request) -> Iterator[Prediction]:
    """What the model finds in each video (`find_inputs`), as soon as it is there; first in those done before.

    Files of each are in `folder`/videos, those of all in `folder`. Processes that are asked the same share the work: each
    gives the videos that it has made. Raises UserError for what is wrong with the model, with the folder, where others
    work there at something else, and, once all were tried, where more videos failed than are allowed.
    """
    require_place(request.folder)
    require_names(list(sources), request.options)
    model = open_model(request.model)
    choice = replace(request.choice, classes=require_classes(model.heads, request.choice.classes))
    request = replace(request, choice=choice)
    pick_device(request.device_of(model))  # before work: it may not be there
    found = Found(choice, model.heads)
    with locked(request.folder, shared=True):
        while not (yield from _together(sources, model, request, found)):
            say("predict: other processes took this one for dead; starting again")


def _together(
    sources: Mapping[str, Source], model: Model, request: Request, found: Found
) -> Generator[Prediction, None, bool]:
    """Work until all is done, or this process's shard is; False if it has to start again."""
    with at_work(request.folder) as work:
        videos = _opened(work, sources, model, request)
        left_out = LeftOut(
            "predict",
            request.folder,
            allowed=request.allow_failures,
            identities=videos.identities,
            skips=False,
        )
        left_out.record = work.fail
        jobs = jobs_of(videos, model, request)
        shares = _shares(videos, jobs, request)
        share = _share(videos, jobs, request, shares)
        done = [video for video in share if video not in jobs]
        for video in done:
            if video not in found.videos:
                yield found.take(videos.shown(video, model, request))
        if done:
            say(f"predict: {len(done)} of {len(share)} videos are done")
        mine = [jobs[video] for video in share if video in jobs]
        for video, answer in _worked(work, mine, videos, model, request, left_out):
            _tell(video, answer)
            yield found.take(videos.shown(video, model, request))
        ended = not work.over and finish(
            work, ToMake(videos, jobs, shares), model, request, found, left_out
        )
    return ended or was_finished(videos, model, request)


def _opened(work: Work, sources: Mapping[str, Source], model: Model, request: Request) -> Videos:
    """The videos; the first process at work there clears what killed ones have left."""
    with opening(work):
        videos = look(sources, model, request)
        by = asked_as(videos, model, request)
        if not joins(work, "predict", by):
            keep_records(request.folder)
            work.clear()
        work.member.sign(by=by, shard=str(request.shard or ""), total=len(sources))
    work.look()
    return videos


def _shares(videos: Videos, jobs: Mapping[str, Job], request: Request) -> Shares:
    """Shares of all videos, the same whatever is done already; a process without one takes what is to do."""
    shard = request.shard
    names = list(jobs if shard is None or not shard.count else videos.sources)
    return Shares(names, [videos.seconds.get(video, 0.0) for video in names])


def _share(videos: Videos, jobs: Mapping[str, Job], request: Request, shares: Shares) -> list[str]:
    """The videos of this process's share: those that are done as they were given, then the longest first."""
    shard, mine = request.shard, shares.of(request.shard)
    all_mine = videos.sources if shard is None or not shard.count else set(mine)
    done = [video for video in videos.sources if video in all_mine and video not in jobs]
    return done + [video for video in mine if video in jobs]


def _worked(
    work: Work,
    jobs: Sequence[Job],
    videos: Videos,
    model: Model,
    request: Request,
    left_out: LeftOut,
) -> Iterator[tuple[str, Answer]]:
    """The videos that this process makes, as they are done; those that fail are counted."""
    workers = request.workers_at(model, len(jobs))
    todo, by_name = Todo(work, [job.video for job in jobs]), {job.video: job for job in jobs}
    total = sum(videos.seconds.get(job.video, 0.0) for job in jobs if job.raw is None)
    with Progress(round(total), "predict", unit="second") as bar:
        seconds = Seconds(bar, jobs, videos.seconds)
        stream = outcomes(
            predict_handler,
            (_task(work, model, request, workers),),
            (claim and Claimed(by_name[claim.name], claim) for claim in todo.claims()),
            workers=workers,
            timeout=SILENCE_SECONDS,
            watch=seconds.watch,
        )
        for outcome in stream:
            (video, *_), claim = outcome.job
            if outcome.result is not None:
                work.note({"video": video})
            elif not claim.holds():
                todo.back(video)
            else:
                left_out.failed(video, outcome.reason or "")
            work.claims.release(claim)
            seconds.done([*work.made, *work.failed])
            if outcome.result is not None:
                yield video, outcome.result


def _task(work: Work, model: Model, request: Request, workers: int) -> Task:
    return Task(
        model=request.model,
        folder=request.folder,
        member=work.member.id,
        device=request.device_of(model),
        precision=request.precision,
        lanes=max(1, usable_cores() // max(1, workers)),
        choice=request.choice,
        options=request.options,
        save_features=request.save_features,
        allow_partial=request.allow_partial,
    )


def _tell(video: str, answer: Answer) -> None:
    for text in answer.said:
        say(f"predict: {text}")
    if answer.damaged:
        say(f"predict: video {video}: {answer.damaged:.2f} s damaged or missing")
