"""Every video of a dataset looked at: does it decode, how long is it, at how many frames a second."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import VideoInfo
from pipeline.data.videos.finding import Source
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress

PROBE_SECONDS = 120.0
_HEARTBEAT_SECONDS = 10.0  # of video


def probe_all(
    paths: Mapping[str, Source],
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
    infos: dict[str, VideoInfo] = {}
    failures: dict[str, str] = {}
    jobs = list(paths.items())
    with Progress(len(jobs), "looking at videos", unit="video") as bar:
        for outcome in outcomes(
            probe_handler, (decoder, deep), jobs, workers=workers, timeout=timeout
        ):
            if outcome.reason is None:
                infos[outcome.job[0]] = outcome.result
            else:
                failures[outcome.job[0]] = outcome.reason
            bar.update(1)
    return infos, failures


def probe_handler(decoder: str, deep: bool) -> Handler:
    """What a worker process does with a (video, path) job."""

    def handle(job: tuple[str, Source], heartbeat: Heartbeat) -> VideoInfo:
        path = job[1]
        if not deep:
            return probe(path, decoder)
        with open_video(path, decoder) as reader:
            # Endless times: the pass runs to the end, and says now and then that it is alive. Still
            # frames have to be asked for one by one.
            still = reader.info.decoder == "frames"
            step = 1 / reader.info.fps if still else _HEARTBEAT_SECONDS
            for _ in reader.frames_at(step * k for k in itertools.count()):
                heartbeat()
            return replace(reader.info, duration=reader.end_time)

    return handle
