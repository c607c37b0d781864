"""What is wrong with a dataset and its configuration, before anything runs on it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset, training_rows
from pipeline.data.features import FEATURES
from pipeline.data.hold_out import require_use
from pipeline.data.names import skipped_ids
from pipeline.data.remote.videos import RemoteVideo, local_file
from pipeline.data.videos.finding import Source
from pipeline.errors import UserError
from pipeline.printing import percent
from pipeline.run_folder.identity import file_digest
from pipeline.runs.run import Run
from pipeline.runs.soundness.checks import check_stages
from pipeline.runs.ways import in_order
from pipeline.tools.doctor.findings import NOTE, OK, WRONG, Finding
from pipeline.tools.doctor.proxies import proxy_findings
from pipeline.tools.doctor.segments import segment_findings, time_findings
from pipeline.tools.doctor.trainings import training_findings
from pipeline.tools.doctor.videos import (
    compare_durations,
    compare_rates,
    known_durations,
    look_at_videos,
    measured_of,
)
from pipeline.tools.outlook import feature_channels, rows_that_train
from pipeline.tools.proxies.estimate import size_text
from pipeline.training.networks.bmn import require_groups

UNSEEN_SHARE = 0.01  # of the evaluation segments; large class lists leave a few rare ones untrained


def examine(run: Run, *, deep: bool = False) -> list[Finding]:
    """Look at annotations, videos and settings; `deep` decodes every video to its end."""
    config = run.detection
    try:
        dataset = run.dataset
    except UserError as error:
        return [Finding("annotations", WRONG, error.message)]
    videos = dataset.videos[dataset.videos["subset"].isin(run.subsets)]
    findings = _annotations(dataset, run.subsets)
    skipped = videos["video"].isin(skipped_ids(config.runtime.skip))
    if skipped.any():
        text = f"{skipped.sum()} of {len(videos)} are in {config.runtime.skip} and not checked"
        findings.append(Finding("videos", NOTE, text, tuple(videos["video"][skipped])))
        videos = videos[~skipped]
    # Nothing reads the videos of a run whose features are there already.
    allowed = len(videos) if run.has_imported_features else config.runtime.allow_failures
    found, infos = look_at_videos(config, dataset, videos["video"], findings, allowed, deep)
    findings += compare_durations(dataset, videos, infos)
    for subset in run.subsets:
        findings += time_findings(config, dataset, subset, measured_of(infos))
    findings += compare_rates(config, infos)
    findings += _held_out(config)
    findings += _classes(config, dataset, run.subsets)
    findings += _leaks(dataset, found)
    seconds = known_durations(dataset, infos)
    for subset in run.subsets:
        findings += segment_findings(config, dataset, subset, seconds)
    finetunes = any(stage.name == "finetune" for stage in in_order(run.ways))
    findings += training_findings(config, dataset, infos, seconds, finetunes=finetunes)
    findings += proxy_findings(run, found)
    findings.append(_network_and_disk(run, [seconds[video] for video in videos["video"]]))
    return [*findings, *_refused(run, findings)]


def _refused(run: Run, findings: Sequence[Finding]) -> list[Finding]:
    """What a stage will refuse for other reasons."""
    try:
        check_stages(run, [stage.name for stage in in_order(run.ways)])
    except UserError as error:
        known = any(finding.state == WRONG for finding in findings)
        return [] if known else [Finding("stages", WRONG, error.message)]
    return []


def _annotations(dataset: Dataset, subsets: tuple[str, str]) -> list[Finding]:
    counts = ", ".join(
        f"{len(dataset.rows(s))} segments of {len(dataset.video_ids(s))} videos in {s}"
        for s in subsets
    )
    empty = [subset for subset in subsets if dataset.rows(subset).empty]
    state = WRONG if empty else OK
    findings = [
        Finding(
            "annotations", state, counts + ("; no segment to use" if empty else ""), tuple(empty)
        )
    ]
    for line, count in dataset.notes.items():
        findings.append(Finding("annotations", NOTE, f"{count} {line}"))
    for line, count in training_rows(dataset, subsets[0])[1].items():
        findings.append(Finding("annotations", NOTE, f"{count} training segments: {line}"))
    return findings


def _held_out(config: Config) -> list[Finding]:
    """Whether videos are held out without any use."""
    try:
        require_use(config)
    except UserError as error:
        return [Finding("hold out", WRONG, error.message)]
    return []


def _classes(config: Config, dataset: Dataset, subsets: tuple[str, str]) -> list[Finding]:
    """Classes that are tested and not trained; videos skipped or held out train nothing."""
    train = rows_that_train(config, dataset)
    whole = len(train) == len(training_rows(dataset, subsets[0])[0])
    where = (
        f"in {subsets[0]}"
        if whole
        else f"that trains in {subsets[0]} (some is held out or skipped)"
    )
    tables = (dataset.targets(train), dataset.targets(dataset.rows(subsets[1])))
    findings = []
    for head, names in enumerate(dataset.heads):
        trained, tested = (set(table[:, head].tolist()) for table in tables)
        unseen = tuple(names[i] for i in sorted(tested - trained))
        idle = tuple(names[i] for i in range(len(names)) if i not in trained | tested)
        check = "classes" if len(dataset.heads) == 1 else ("verbs", "nouns")[head]
        share = float(np.isin(tables[1][:, head], list(tested - trained)).mean()) if unseen else 0.0
        state = WRONG if share > UNSEEN_SHARE else NOTE if unseen else OK
        text = f"{len(unseen)} of {len(names)} have {subsets[1]} segments and none {where}"
        text += f" ({percent(share)} % of the {subsets[1]} segments)" if unseen else ""
        findings.append(Finding(check, state, text, unseen))
        if idle:
            findings.append(Finding(check, NOTE, f"{len(idle)} have no segment in either", idle))
    return findings


def _leaks(dataset: Dataset, found: Mapping[str, Source]) -> list[Finding]:
    """The same video in two subsets: by its id, with or without `v_`, or by the bytes of its file."""
    subset_of = dict(zip(dataset.videos["video"], dataset.videos["subset"], strict=True))
    same: dict[Any, list[tuple[str, str]]] = {}
    for video, subset in subset_of.items():
        same.setdefault(video.removeprefix("v_"), []).append((video, subset))
    sizes: dict[int, list[str]] = {}
    for video, source in found.items():
        if isinstance(source, RemoteVideo) and source.size:
            sizes.setdefault(source.size, []).append(video)
        elif isinstance(source, Path) and source.is_file():
            sizes.setdefault(source.stat().st_size, []).append(video)
    for group in sizes.values():
        if len({subset_of[video] for video in group}) > 1:
            for video in group:
                with local_file(found[video]) as path:
                    name = ("bytes", file_digest(path))
                same.setdefault(name, []).append((video, subset_of[video]))
    pairs = [
        " = ".join(f"{video} ({subset})" for video, subset in group)
        for group in same.values()
        if len({subset for _, subset in group}) > 1
    ]
    leaks = tuple(dict.fromkeys(pairs))
    return [
        Finding("splits", WRONG if leaks else OK, f"{len(leaks)} videos are in two subsets", leaks)
    ]


def _network_and_disk(run: Run, seconds: Sequence[float]) -> Finding:
    """Whether there is such a network, and space for its features: float16 [clips, channels] a video."""
    try:
        channels = feature_channels(run)
        if run.ways.head == "bmn":
            require_groups(run.detection.bmn, channels)
    except UserError as error:
        return Finding("network", WRONG, error.message)
    clips = sum(run.features.grid.num_clips(length) for length in seconds)
    files = (run.path("extract") / FEATURES).glob("*.h5")
    there = sum(path.stat().st_size for path in files if path.is_file())
    needed = max(0.0, clips * channels * 2 * 1.001 + 4096 * len(seconds) - there)
    place = run.folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = (
        f"{clips} features of {channels} channels, {size_text(needed)} more needed, "
        f"{size_text(free)} free at {place}"
    )
    numbers = {"features": clips, "bytes_needed": needed, "bytes_free": free}
    return Finding("disk", WRONG if needed > free else OK, text, numbers=numbers)
