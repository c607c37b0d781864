"""A video to its HDF5 file of features: decoding, resizing, the network and writing together."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch

from benchmarks import networks
from benchmarks.backbone_inference import COMPILED, EAGER, ROUGH, build_compiled
from benchmarks.baselines.tada2d import BaselineTAda2D, baseline_tada2d
from benchmarks.baselines.video import baseline_clips, open_baseline
from benchmarks.costs import inference_cost
from benchmarks.decode import GRID, SHORT_SIDE
from benchmarks.measure import Form, Row, Work, compare, relative_difference, skipped
from benchmarks.videos import FPS, SMALL_FRAME, encode_video
from feature_extraction import FeatureMeta, extract_features, read_features, write_features
from feature_extraction.transforms import normalize

STAGE = "extraction, video to HDF5"
SECONDS = 3.0  # of video: at more than a second a clip, all that the time allows


def run(quick: bool, seconds: float = SECONDS) -> list[Row]:
    """Wall-clock seconds per clip, whole frames with their short side at 224, batch 1.

    seconds: of video that ours goes through; the baseline reads up to 6 clips spread over it.
    """
    sizes = networks.SMALL if quick else networks.FULL
    size, short_side = ((96, 64), 32) if quick else (SMALL_FRAME, SHORT_SIDE)
    frames = 32 if quick else round(seconds * FPS)
    with tempfile.TemporaryDirectory() as folder:
        path = encode_video(Path(folder) / "video.mp4", size, frames)
        return _compare_extraction(path, frames, sizes, short_side, quick)


def _compare_extraction(
    path: Path, frames: int, sizes: networks.Sizes, short_side: int, quick: bool
) -> list[Row]:
    model = networks.draw_tada2d(sizes)
    baseline = baseline_tada2d(model)
    total = GRID.num_clips(frames / FPS)
    asked = np.linspace(0, total - 1, min(6, total)).astype(int).tolist()
    first = next(baseline_clips(path, GRID, asked[:1], short_side))
    video = normalize(first).transpose(0, 1)[None]
    text = (
        f"{frames / FPS:g} s at {FPS} fps, {total} clips of 8 x {video.shape[3]} x "
        f"{video.shape[4]} (baseline: {len(asked)} of them), a clip"
    )
    work = Work(STAGE, text, relative_difference, "of the largest")
    name = f"{open_baseline(path)[2]} a clip, grouped convolution"
    forms, left_out, busy = [], [], []
    for ours, network, why in _our_networks(model, video, quick):
        if network is None:
            left_out.append(skipped(work, name, ours, why))
            continue
        cost = inference_cost(model, tuple(video.shape), network.precision)
        run = partial(our_file, network, path, short_side, asked, busy)
        forms.append(Form(ours, run, total, once=True, cost=cost))
    with torch.no_grad():
        baseline.features(video)  # warm-up
    rows = compare(
        work,
        Form(name, lambda: baseline_file(baseline, path, asked, short_side), len(asked), once=True),
        forms,
        runs=0,
        clock=time.perf_counter,
    )
    shares = [f"the network's thread worked {100 * share:.0f} % of the time" for share in busy]
    return [replace(row, note=note) for row, note in zip(rows, shares, strict=True)] + left_out


def _our_networks(
    model: networks.VideoResNet, video: torch.Tensor, quick: bool
) -> Iterator[tuple[str, networks.InferenceNetwork | None, str]]:
    """(name, network warmed up, or None and why it does not run here)."""
    exact = networks.inference_network(model, "float32")
    exact.features(video)
    yield EAGER, exact, ""
    why = networks.why_no_bfloat16()
    rough = None if why else networks.inference_network(model, "bfloat16")
    if rough is not None:
        rough.features(video)
    yield ROUGH, rough, why
    compiled, why = build_compiled(model, video, quick)
    yield (f"{COMPILED} {why}" if compiled else COMPILED), compiled, why


def baseline_file(
    model: BaselineTAda2D, path: Path, asked: list[int], short_side: int
) -> list[torch.Tensor]:
    """Features of the asked clips one at a time into an HDF5 file, and back out of it."""
    with torch.no_grad():
        rows = [
            model.features(normalize(clip).transpose(0, 1)[None])[0].numpy()
            for clip in baseline_clips(path, GRID, asked, short_side)
        ]
    output = path.with_name("baseline.h5")
    with h5py.File(output, "w") as file:
        file["features"] = np.stack(rows).astype(np.float16)
    with h5py.File(output) as file:
        return [torch.from_numpy(file["features"][:].astype(np.float32))]


def our_file(
    network: networks.InferenceNetwork,
    path: Path,
    short_side: int,
    asked: list[int],
    busy: list[float],
) -> list[torch.Tensor]:
    """Features of every clip into an HDF5 file; those of the asked clips back out of it.

    The share of the time in which this thread, the network's, had work is appended to `busy`.
    """
    begin, worked = time.perf_counter(), time.thread_time()
    features, duration = extract_features(network, path, GRID, short_side=short_side, batch_size=1)
    busy.append((time.thread_time() - worked) / (time.perf_counter() - begin))
    meta = FeatureMeta(
        video=path.stem,
        fps=GRID.fps,
        clip_frames=GRID.frames,
        frame_interval=GRID.interval,
        clip_stride=GRID.stride,
        resize=short_side,
        source_duration=duration,
        backbone="tada2d",
        weights_digest="none",
        precision=network.precision,
    )
    output = path.with_name("ours.h5")
    write_features(output, features, meta)
    return [torch.from_numpy(read_features(output)[0][asked])]
