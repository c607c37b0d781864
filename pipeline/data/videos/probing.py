"""Every video of a dataset looked at: does it decode, how long is it, at how many frames per second."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from feature_extraction.elsewhere import Elsewhere
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import DamagedVideoError, VideoError, VideoInfo
from pipeline.data.videos.damage import told
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress

if TYPE_CHECKING:  # pandas is nothing a worker that looks at videos needs
    from pipeline.data.videos.finding import Source

PROBE_SECONDS = 120.0
_HEARTBEAT_SECONDS = 10.0  # of video
_WORTH_A_START = 8  # videos looked at while a process starts: 0.04 s against 0.3 s


@dataclass(frozen=True)
class Seen:
    """What a look at a video found: its `info`, spans of seconds that are damaged, and how far apart key frames are.

    `key_frame_seconds` is the longest time from one to the next, None if the file's index does not show it.
    """

    info: VideoInfo
    damaged: tuple[tuple[float, float], ...] = ()
    key_frame_seconds: float | None = None


def probe_all(
    paths: Mapping[str, Source | Elsewhere],
    decoder: str,
    *,
    deep: bool,
    workers: int,
    timeout: float = PROBE_SECONDS,
) -> tuple[dict[str, VideoInfo], dict[str, str]]:
    """What each video says of itself, and why those that do not decode do not.

    The first frame is decoded; `deep` decodes all of them and finds the true duration. `workers`
    processes look, so that a file that kills or hangs its decoder costs that file, and `timeout` seconds;
    0 looks here.
    """
    seen, failures = look_at_all(paths, decoder, deep=deep, workers=workers, timeout=timeout)
    return {video: found.info for video, found in seen.items()}, failures


def look_at_all(
    paths: Mapping[str, Source | Elsewhere],
    decoder: str,
    *,
    deep: bool,
    workers: int,
    takes_parts: bool | None = None,
    timeout: float = PROBE_SECONDS,
) -> tuple[dict[str, Seen], dict[str, str]]:
    """As `probe_all`, with all that was seen; `takes_parts`: what the configuration says of damaged videos."""
    found: dict[str, Seen] = {}
    failures: dict[str, str] = {}
    jobs, arguments = list(paths.items()), (decoder, deep, takes_parts)
    if not deep:
        workers = worth_starting(workers, len(jobs))
    with Progress(len(jobs), "looking at videos", unit="video") as bar:
        for outcome in outcomes(probe_handler, arguments, jobs, workers=workers, timeout=timeout):
            if outcome.reason is None:
                found[outcome.job[0]] = outcome.result
            else:
                failures[outcome.job[0]] = outcome.reason
            bar.update(1)
    return found, failures


def worth_starting(workers: int, videos: int) -> int:
    """How many of `workers` processes save more time than they cost, for a first look at so many videos.

    Where there are to be any there is one: a file that kills its decoder kills that.
    """
    return min(workers, max(1, videos // _WORTH_A_START))


def probe_handler(decoder: str, deep: bool, takes_parts: bool | None = None) -> Handler:
    """What a worker process does with a (video, path) job."""

    def handle(job: tuple[str, Source | Elsewhere], heartbeat: Heartbeat) -> Seen:
        try:
            return look(job[1], heartbeat)
        except DamagedVideoError as error:
            raise VideoError(told(error, takes_parts)) from error

    def look(path: Source | Elsewhere, heartbeat: Heartbeat) -> Seen:
        with open_video(path, decoder, allow_partial=bool(takes_parts)) as reader:
            apart = reader.key_frame_seconds()
            if not deep:
                length = reader.measure()
                return Seen(replace(reader.info, duration=length), (), apart)
            # Endless times: the pass runs to the end, and says now and then that it is alive. Still
            # frames have to be asked for one by one.
            still = reader.info.decoder == "frames"
            step = 1 / reader.info.fps if still else _HEARTBEAT_SECONDS
            for _ in reader.frames_at(step * k for k in itertools.count()):
                heartbeat()
            info = replace(reader.info, duration=reader.end_time)
            return Seen(info, tuple(reader.damaged), apart)

    return handle
