"""The proxies of a run's training videos: those that are not current are made, by worker processes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import av

from feature_extraction.video.reader import VideoError
from pipeline.data.proxies.form import CODEC, made_by, proxies_folder, proxy_path
from pipeline.data.proxies.standing import FPS, SECONDS, Standing, standing
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UsageError, UserError
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress, say
from pipeline.run_folder.files import atomic_path, clear_temporary, remove
from pipeline.run_folder.identity import FileRecord, named, record_of
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.run_folder.lock import locked
from pipeline.runs.run import Run
from pipeline.tools.proxies.encoding import encode_proxy
from pipeline.tools.proxies.estimate import estimated_bytes, free_bytes, size_text

SILENCE_SECONDS = 300.0  # a worker that encodes nothing for this long is hanging
Job = tuple[str, Path, str]  # video, its file, which file that is


def make_proxies(run: Run) -> None:
    """Make the proxies of all training videos that have no current one; each is recorded as soon as it is there.

    Videos that fail are listed in `failures.json` beside the proxies. Raises UsageError if
    `finetune.proxies` says no size, UserError where more videos fail than allowed.
    """
    side = _side(run)
    folder = proxies_folder(run.config, run.folder)
    with locked(folder):
        clear_temporary(folder)
        runtime = run.config.runtime
        left_out = LeftOut(
            "proxies",
            folder,
            allowed=runtime.allow_failures,
            skip=runtime.skip,
            identities=run.sightings.identities,
        )
        ids = left_out.without_skipped(run.dataset.video_ids(run.subsets[0]))
        sources = run.sources(ids, left_out)
        found = standing(
            folder, side, sources, sources, run.sightings.identities, verify=run.verify
        )
        _say_faults(found)
        todo = {video: Path(sources[video]) for video in found.why}
        if not todo:
            left_out.settle()
            say(f"proxies: complete ({len(found.paths)} videos) in {folder}, nothing to do")
            return
        _say_work(todo, folder, side, runtime.workers)
        made = _make_all(run, folder, side, todo, left_out)
        left_out.settle()
    bytes_there = sum(path.stat().st_size for path in found.paths.values())
    size = size_text(bytes_there + sum(record.size for record in made))
    say(
        f"proxies: {len(found.paths) + len(made)} videos complete in {folder}, {size}; "
        f"`tada-loc finetune` reads them with finetune.proxies={side}"
    )


def proxy_handler(folder: Path, side: int) -> Handler:
    """What a worker process does with a job: write a video's proxy, give its record and notes."""

    def handle(job: Job, heartbeat: Heartbeat) -> tuple[FileRecord, dict[str, str]]:
        video, source, _ = job
        path = proxy_path(folder, video)
        with atomic_path(path) as temporary:
            try:
                made = encode_proxy(source, temporary, side, heartbeat)
            except av.FFmpegError as error:
                raise VideoError(f"{source}: cannot be encoded ({error})") from error
        return record_of(path), {SECONDS: repr(made.duration), FPS: repr(made.fps)}

    return handle


def _side(run: Run) -> int:
    settings = run.config.finetune
    if settings.source == "features":
        raise UsageError("finetune.source = 'features': no video is read; proxies have no effect")
    if settings.proxies is None:
        least = max(settings.short_side)
        raise UsageError(
            "finetune.proxies is null: training reads the videos themselves; set finetune.proxies="
            f"{least + least % 2} (the largest short side it trains on), here and for finetune"
        )
    if CODEC not in av.codecs_available:
        raise UserError(f"this PyAV has no {CODEC}: it cannot write H.264; pip install av")
    return settings.proxies


def _say_faults(found: Standing) -> None:
    groups: dict[str, list[str]] = {}
    for video, why in found.why.items():
        if why != "missing":
            groups.setdefault(why, []).append(video)
    for why, videos in groups.items():
        say(f"proxies: those of {len(videos)} videos are {why} ({named(videos)}), made again")
    if found.frames:
        say(
            f"proxies: {len(found.frames)} videos are folders of frames, which training reads as they are"
        )


def _say_work(todo: Mapping[str, Path], folder: Path, side: int, workers: int) -> None:
    """Say how much there is to do, and whether there is room for it."""
    estimate = estimated_bytes(todo, side, workers)
    free = free_bytes(folder)
    text = (
        "size unknown"
        if estimate is None
        else f"about {size_text(estimate)} (a factor of three either way)"
    )
    say(
        f"proxies: {len(todo)} videos to do, shorter side {side} px, {text}, "
        f"{size_text(free)} free at {folder}"
    )
    if estimate is not None and estimate > free:
        say("proxies: that may not fit; set dataset.proxies to another folder")


def _make_all(
    run: Run, folder: Path, side: int, todo: Mapping[str, Path], left_out: LeftOut
) -> list[FileRecord]:
    made: list[FileRecord] = []
    ledger, by = Ledger(folder), made_by(side)
    identities = run.sightings.identities
    jobs = [(video, source, identities.get(video, "")) for video, source in todo.items()]
    do = partial(outcomes, proxy_handler, (folder, side), jobs, workers=run.config.runtime.workers)
    with Progress(len(jobs), "proxies", unit="video") as bar:
        for outcome in do(timeout=SILENCE_SECONDS):
            video, _, of = outcome.job
            if outcome.reason is not None:
                left_out.failed(video, outcome.reason)
                remove(proxy_path(folder, video))  # what is there is of what is no longer so
                ledger.forget(video)
            else:
                record, notes = outcome.result
                made.append(record)
                ledger.note(
                    Made(video=video, by=by, of=of, file=record, content=record.sha256, notes=notes)
                )
            bar.update(1)
    return made
