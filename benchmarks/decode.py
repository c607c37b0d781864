"""Clips for extraction out of a 60 fps video: one sequential pass against one request a clip."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import av
import torch
from torch import Tensor

from benchmarks.baselines.video import baseline_clips, open_baseline
from benchmarks.measure import Cost, Form, Row, Work, absolute_difference, compare
from benchmarks.videos import FPS, LARGE_FRAME, SMALL_FRAME, encode_video, megabits
from feature_extraction.clips import iter_clips
from feature_extraction.read_ahead import FrameThread
from feature_extraction.sampling import ClipGrid

STAGE = "decode for extraction"
OURS = "one pass, unneeded frames dropped"
GRID = ClipGrid(FPS, 8, 8, 8)
SHORT_SIDE = 224
# Size, frames (several times the 250 between key frames), every how many-th clip the baseline
# reads: its clips are independent of one another, and it is slow.
PLANS = ((SMALL_FRAME, 1200, 3), (LARGE_FRAME, 400, 4))
QUICK_PLANS = (((96, 64), 90, 1),)


def run(quick: bool) -> list[Row]:
    """CPU seconds per clip, resized to 224 pixels; some clips of both forms are compared."""
    rows = []
    for size, frames, every in QUICK_PLANS if quick else PLANS:
        with tempfile.TemporaryDirectory() as folder:
            path = encode_video(Path(folder) / "video.mp4", size, frames)
            rows += _compare_reading(path, size, frames, every, 1 if quick else 2)
    return rows


def _compare_reading(
    path: Path, size: tuple[int, int], frames: int, every: int, runs: int
) -> list[Row]:
    asked = range(0, GRID.num_clips(frames / FPS), every)
    total = GRID.num_clips(frames / FPS)
    kept = set(list(asked)[:: max(1, len(asked) // 4)])
    some = "" if every == 1 else f" (baseline: {len(asked)} of them)"
    text = (
        f"{size[0]} x {size[1]}, {megabits(path, frames):.1f} Mbit/s, {total} clips of 8 x 8 "
        f"every 8{some}, a clip"
    )
    pixels = next(iter(our_clips(path)))[0].numel()  # of the one frame a clip adds
    cost = Cost(0.0, 2.0 * pixels, seconds=decoder_seconds(path) / total)
    return compare(
        Work(STAGE, text, absolute_difference, "levels of 255"),
        Form(
            f"{open_baseline(path)[2]} a clip",
            lambda: keep(
                zip(asked, baseline_clips(path, GRID, asked, SHORT_SIDE), strict=True), kept
            ),
            len(asked),
        ),
        [Form(OURS, lambda: keep(enumerate(our_clips(path)), kept), total, cost=cost)],
        runs=runs,
    )


def our_clips(path: Path) -> Iterable[Tensor]:
    """All clips of a video in order, as extraction sees them."""
    with FrameThread(path, GRID, SHORT_SIDE) as frames:
        yield from iter_clips(frames, GRID, lambda: frames.duration)


def decoder_seconds(path: Path) -> float:
    """CPU seconds of the decoder alone: the frames others refer to, one thread, no conversion."""
    begin = time.process_time()
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stream.thread_type, stream.codec_context.skip_frame = "NONE", "NONREF"
        for _ in file.decode(stream):
            pass
    return time.process_time() - begin


def keep(clips: Iterable[tuple[int, Tensor]], kept: set[int]) -> list[Tensor]:
    """Go through numbered clips; hold on to a few to compare."""
    return [clip.to(torch.int16) for number, clip in clips if number in kept]
