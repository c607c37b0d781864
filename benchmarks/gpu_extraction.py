"""Extraction on a GPU with several processes, each decoding for itself, as the pipeline runs it."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import networks
from benchmarks.decode import GRID
from benchmarks.videos import SMALL_FRAME, encode_video
from feature_extraction import extract_features
from pipeline.processes.workers import Handler, Heartbeat, run_jobs

SILENCE_SECONDS = 120.0
Span = tuple[int, float, float, int]  # process, begin and end in seconds, clips


def extraction_rates(
    device: str, workers: tuple[int, ...], *, small: bool = False
) -> dict[int, float]:
    """Clips per second for each number of processes, while all of them are at work."""
    size, frames, jobs = ((96, 64), 32, 2) if small else (SMALL_FRAME, 1200, 12)
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        path = encode_video(Path(folder) / "video.mp4", size, frames)
        for count in workers:
            spans = []
            arguments = (device, small)
            queue = [str(path)] * (jobs * count)
            for outcome in run_jobs(
                start_worker, arguments, queue, workers=count, timeout=SILENCE_SECONDS
            ):
                if outcome.reason is not None:
                    raise RuntimeError(f"extraction failed: {outcome.reason}")
                spans.append(outcome.result)
            rates[count] = steady_rate(spans)
    return rates


def start_worker(device: str, small: bool) -> Handler:
    """In a process: the network, and what to do with a video."""
    torch.set_num_threads(1)
    model = networks.draw_tada2d(networks.SMALL if small else networks.FULL)
    network = networks.inference_network(model, "bfloat16").to(device)

    def handle(path: Any, heartbeat: Heartbeat) -> Span:
        begin = time.time()
        short_side, batch = (32, 2) if small else (224, 16)
        features, _ = extract_features(
            network,
            path,
            GRID,
            short_side=short_side,
            batch_size=batch,
            device=device,
            on_batch=heartbeat,
        )
        return os.getpid(), begin, time.time(), len(features)

    return handle


def steady_rate(spans: list[Span]) -> float:
    """Clips per second between the moment the last process had begun and the first one ended.

    A process's share of the clips of a video that reaches over an edge is taken by time. Where the
    processes never ran side by side, it is all clips over all the time.
    """
    processes = {span[0] for span in spans}
    begins = [min(span[1] for span in spans if span[0] == process) for process in processes]
    ends = [max(span[2] for span in spans if span[0] == process) for process in processes]
    first, last = max(begins), min(ends)
    if last <= first:
        first, last = min(begins), max(ends)
    clips = 0.0
    for _, begin, end, count in spans:
        inside = max(0.0, min(end, last) - max(begin, first))
        clips += count * inside / (end - begin)
    return clips / (last - first)
