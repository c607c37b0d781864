"""What a run will cost: how much work there is, how fast a short probe does it, hours and bytes."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from feature_extraction.backbones import VideoNetwork
from feature_extraction.sampling import ClipGrid
from feature_extraction.transforms import to_tensor
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError
from pipeline.data.beyond import lengths_of
from pipeline.data.clips.geometry import View, clip_grid, extraction_view
from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.sequences.grids import position_count
from pipeline.data.videos.finding import Source, find_videos, is_folder
from pipeline.data.videos.lengths import in_seconds
from pipeline.progress import say
from pipeline.runs.run import Run
from pipeline.runs.soundness.lengths import require_lengths
from pipeline.runs.ways import in_order
from pipeline.tools.head_rates import detection_rate, head_training_rate
from pipeline.tools.outlook import feature_channels, finetune_outlook, head_outlook
from pipeline.tools.rates import head_rate, network_rate, training_rate, views_rate
from pipeline.training.networks.classifier import untrained_classifier

PROBED_VIDEOS = 3
PROBED_SECONDS = 4.0  # of each of them
_SMALLER = " on frames of half the size (--quick): their cost is scaled by area"
USUAL_SIZE = (456, 256)  # pixels, where there is no video to look at


@dataclass(frozen=True)
class Cost:
    """A stage: how many pieces of work, pieces per second of one process, and bytes read and written."""

    stage: str
    unit: str
    count: int
    rate: float
    read: float = 0.0
    written: float = 0.0

    def hours(self, processes: int) -> float:
        """Hours with that many processes at the rate of the probe."""
        return self.count / self.rate / processes / 3600 if self.rate else math.nan


def estimate(run: Run, *, quick: bool = False) -> list[Cost]:
    """Look at the annotations and a few videos, time a few steps, and estimate the whole; reports what is timed.

    `quick` times networks on frames of half the size, and takes their steps to cost by area. Of imported features
    nothing is extracted, and where a file names the classes no classifier is trained.
    """
    if run.config.extract is None:
        return _classifier_costs(run, quick=quick)
    config, dataset, subsets, device = run.detection, run.dataset, run.subsets, run.device
    torch.manual_seed(0)
    ways, paths = run.ways, dict[str, Source]()
    if not ways.imported or is_folder(config.dataset.videos):
        paths, _ = find_videos(config.dataset, dataset, run.videos)
    say("plan: reading how long the videos are")
    for line in require_lengths(run, [stage.name for stage in in_order(ways)]):
        say(line)
    seconds = _seconds(run)
    grid = clip_grid(config.extract)
    lengths = [length for subset in subsets for length in seconds[subset].values()]
    clips = sum(grid.num_clips(length) for length in lengths)
    if paths:
        say(f"plan: decoding {PROBED_SECONDS:g} s of {min(PROBED_VIDEOS, len(paths))} videos")
    size, decode_rate, bytes_a_second = _probe_videos(paths, grid, extraction_view(config.extract))
    model = untrained_classifier(config.backbone, dataset.num_classes)
    channels = feature_channels(run)
    stored = clips * channels * 2.0
    costs: list[Cost] = []
    if any(stage.name == "finetune" for stage in in_order(ways)):
        costs.append(_finetune_cost(run, model, size, channels, quick=quick))
    if not ways.imported:
        say(f"plan: timing the network{_SMALLER * quick}")
        rate = network_rate(config.extract, model, size, device, quick=quick)
        read = sum(lengths) * bytes_a_second
        costs += [
            Cost("extract: decode", "s of video", round(sum(lengths)), decode_rate, read=read),
            Cost("extract: network", "clips", clips, rate, written=stored),
        ]
    say(f"plan: timing steps of {run.ways.training}")
    return [*costs, *_head_costs(run, seconds, channels, stored)]


def _finetune_cost(
    run: Run, model: VideoNetwork, size: tuple[int, int], channels: int, *, quick: bool
) -> Cost:
    """What fine-tuning costs; `size` is that of frames as extraction sees them."""
    config, classes = run.config.finetune, run.dataset.num_classes
    finetune = finetune_outlook(run.config, run.dataset, {})
    say(f"plan: timing steps of fine-tuning{_SMALLER * quick}")
    if run.ways.imported and run.ways.head_on_features:
        rate = head_rate(config, channels, classes, run.device)
    else:
        rate = training_rate(config, model, size, run.device, quick=quick)
    return Cost("finetune", finetune.unit, finetune.samples * finetune.settings.epochs, rate)


def _classifier_costs(run: Run, *, quick: bool) -> list[Cost]:
    """What a classifier without detection costs: its training, and the views of its test (Section 5)."""
    config, views, dataset = run.config.finetune, run.config.views, run.dataset
    torch.manual_seed(0)
    span = config.frames * config.interval
    paths, _ = find_videos(run.config.dataset, dataset, run.videos)
    if paths:
        say(f"plan: decoding {PROBED_SECONDS:g} s of {min(PROBED_VIDEOS, len(paths))} videos")
    grid = ClipGrid(config.fps, config.frames, config.interval, span)
    size, _, bytes_a_second = _probe_videos(paths, grid, View(views.short_side, None))
    model = untrained_classifier(run.config.backbone, dataset.num_classes)
    training = _finetune_cost(run, model, size, model.feature_dim, quick=quick)
    say(f"plan: timing the network{_SMALLER * quick}")
    rows = dataset.rows(run.subsets[1])
    clips = int((rows["end"] > rows["start"]).sum()) * views.clips
    rate = views_rate(config.frames, views.short_side, model, run.device, quick=quick)
    a_clip = span / config.fps * bytes_a_second if config.sampling == "interval" else 0.0
    return [
        replace(training, read=training.count * a_clip),
        Cost("eval-classifier", "views", clips * views.crops, rate, read=clips * a_clip),
    ]


def cost_table(costs: list[Cost], processes: int) -> str:
    """The output of `tada-loc plan`."""
    rows = [("stage", "work", "rate of one", f"hours with {processes}", "read", "written")]
    for cost in costs:
        rate = f"{cost.rate:.3g}/s" if cost.rate else "not measured"
        hours = f"{cost.hours(processes):.3g}" if cost.rate else "?"
        rows.append(
            (
                cost.stage,
                f"{cost.count} {cost.unit}",
                rate,
                hours,
                _size(cost.read),
                _size(cost.written),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def costs_as_json(costs: list[Cost], processes: int) -> dict[str, Any]:
    """The same as JSON values; hours are null where nothing could be measured."""
    rows = []
    for cost in costs:
        hours = cost.hours(processes)
        rows.append(asdict(cost) | {"hours": None if math.isnan(hours) else hours})
    return {"processes": processes, "stages": rows}


def _head_costs(
    run: Run, seconds: Mapping[str, Mapping[str, float]], channels: int, stored: float
) -> list[Cost]:
    """What the head's training costs, and of ActionFormer the detection; `stored` bytes of features, of `channels`."""
    config, dataset = run.detection, run.dataset
    sizes = tuple(map(len, dataset.heads))
    training = head_outlook(config, dataset, seconds[run.subsets[0]])
    rate, epochs = head_training_rate(config, channels, sizes, run.device), training.settings.epochs
    count = training.samples * epochs
    costs = [Cost(run.ways.training, training.unit, count, rate, read=stored * epochs)]
    if config.detector.name == "bmn":
        return costs
    clips, grid = seconds[run.subsets[1]].values(), clip_grid(config.extract)
    counts = [position_count(grid.num_clips(s), config.actionformer) for s in clips]
    rate = detection_rate(config, channels, dataset.heads, run.device)
    read = sum(grid.num_clips(s) for s in clips) * channels * 2.0
    return [*costs, Cost(run.ways.proposing, "positions", sum(counts), rate, read=read)]


def _seconds(run: Run) -> dict[str, dict[str, float]]:
    """Seconds of every video, by subset: as its file says, else as annotated, else to the end of its last segment."""
    dataset = run.dataset
    last = dataset.annotations.groupby("video")["end"].max()
    known = in_seconds(lengths_of(dataset, run.lengths(run.videos)))
    return {
        subset: {v: known.get(v, float(last.get(v, 0.0))) for v in dataset.video_ids(subset)}
        for subset in run.subsets
    }


def _probe_videos(
    paths: Mapping[str, Source], grid: ClipGrid, view: View
) -> tuple[tuple[int, int], float, float]:
    """Size of a clip's frames, seconds of video decoded and resized per second, bytes per second of video."""
    sizes: list[tuple[int, int]] = []
    rates: list[float] = []
    spent = seen = 0.0
    for source in list(paths.values())[:: max(1, len(paths) // PROBED_VIDEOS)][:PROBED_VIDEOS]:
        try:
            with open_video(source) as reader:
                began, last = time.perf_counter(), 0.0
                times = (k / grid.fps for k in grid.needed_frames())
                for index, frame in reader.frames_at(times):
                    small = view(to_tensor(frame[None]))
                    last = index / grid.fps
                    if last > PROBED_SECONDS:
                        break
                spent, seen = spent + time.perf_counter() - began, seen + last + 1 / grid.fps
                sizes.append(_size_of(small))
                if isinstance(source, RemoteVideo | Path) and reader.info.duration:
                    size = (
                        source.size if isinstance(source, RemoteVideo) else os.stat(source).st_size
                    )
                    rates.append(size / reader.info.duration)
        except (VideoError, OSError):
            continue  # `tada-loc doctor` says which and why
    if not sizes:
        width, height = USUAL_SIZE
        usual = torch.zeros(1, 3, height, width, dtype=torch.uint8)
        return _size_of(view(usual)), 0.0, 0.0
    return sizes[0], seen / spent, float(np.mean(rates)) if rates else 0.0


def _size_of(frames: Tensor) -> tuple[int, int]:
    height, width = frames.shape[-2:]
    return height, width


def _size(number: float) -> str:
    if not number:
        return "-"
    power = min(4, int(math.log(number, 1000)))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
