"""A report without a training: drawn segments, and detections with mistakes of every kind; the same at each run."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.pages.report_values import Bar, Durations, Facts, MapRow, Report, Training, Videos
from pipeline.tools.report.analysed import analysed
from pipeline.tools.report.mistakes import mistakes_of, with_frames
from pipeline.tools.report.reasons import advice_of
from pipeline.tools.report.shared import numbers_of

CLASSES = ("cut", "open drawer", "peel", "pour", "put away", "stir", "take", "wash hands", "wipe")
IOU = (0.5, 0.6, 0.7, 0.8, 0.9)


def made_up_tables(
    videos: list[str],
    *,
    seconds: float = 60.0,
    rows: int = 100,
    classes: tuple[str, ...] = CLASSES,
    seed: int = 5,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Ground truth, detections and proposals of this many videos; `rows` of each of the latter a video."""
    rng = np.random.default_rng(seed)
    truth = pd.concat([_truth(rng, video, seconds, classes) for video in videos], ignore_index=True)
    good = truth.sample(frac=0.9, random_state=seed)
    blur = np.where(rng.uniform(size=len(good)) < 0.75, 0.06, 0.45) * (good["end"] - good["start"])
    good = good.assign(
        start=(good["start"] + rng.normal(0, 1, len(good)) * blur).clip(0, seconds - 1),
        end=(good["end"] + rng.normal(0, 1, len(good)) * blur).clip(1, seconds),
        score=rng.beta(6, 2.5, len(good)),
    )
    good["end"] = np.maximum(good["end"], good["start"] + 0.3)
    swapped = rng.uniform(size=len(good)) < 0.14
    names = np.array(classes, object)
    place = {name: number for number, name in enumerate(classes)}
    other = names[
        (good["label"].map(place).to_numpy(int) + rng.integers(1, 3, len(good))) % len(names)
    ]
    good["label"] = np.where(swapped, other, good["label"])
    weak = _weak(rng, videos, seconds, rows, names)
    detections = pd.concat(
        [good, good.sample(frac=0.1, random_state=1).assign(score=lambda t: t["score"] * 0.6), weak]
    )
    detections = detections[["video", "start", "end", "label", "score"]]
    detections = detections.sort_values(
        ["video", "score"], ascending=[True, False], ignore_index=True
    )
    proposals = detections.drop(columns="label").assign(
        score=lambda t: t["score"] * rng.uniform(0.7, 1, len(t))
    )
    return truth, detections.groupby("video").head(2 * rows).reset_index(drop=True), proposals


def made_up_report(
    videos: list[str],
    folder: Path,
    *,
    files: dict[str, Path] | None = None,
    proposals: bool = True,
    **tables: Any,
) -> Report:
    """A whole report, for a page in `folder`; `files`: where videos are, of which frames are taken."""
    truth, detections, proposed = made_up_tables(videos, **tables)
    found = analysed(truth, detections, IOU)
    files = files or {}
    mistakes, _ = with_frames(mistakes_of(found.truth, found.detections), files)
    average = float(np.mean([row.average for row in found.found.classes]))
    at_half = float(np.mean([row.ap for row in found.found.classes]))
    values = list(np.interp(IOU, (0.5, 0.95), (at_half, 2 * average - at_half)))
    results = {
        "iou": list(IOU),
        "tasks": {"mAP": {"map": [at_half, *values[1:]], "average": average}},
        "average_recall": {"100": 83.0},
    }
    return Report(
        title="kitchen",
        about=["tada2d", "bmn", f"160 training videos, {len(videos)} evaluated", "2026-11-23", "8 min"],
        numbers=numbers_of(results),
        iou=IOU,
        maps=[
            MapRow("mAP", [at_half, *values[1:]], average, ours=True),
            MapRow("mAP, the paper", [value - 6 + 2 * place for place, value in enumerate(values)], average - 2.0, ours=False),
        ],
        videos=Videos(
            ids=videos,
            truth=found.truth,
            detections=found.detections,
            proposals=proposed if proposals else None,
            seconds=dict.fromkeys(videos, 60.0),
            paths={video: os.path.relpath(path, folder) for video, path in files.items()},
            step=0.267,
        ),
        all_labels=CLASSES,
        mistakes=mistakes,
        found=found.found,
        advice=advice_of(found.found),
        **_of_a_run(truth),
    )  # fmt: skip


def _of_a_run(truth: pd.DataFrame) -> dict[str, Any]:
    """What a run knows beside its tables."""
    epochs = list(range(1, 31))
    fall = [1.9 * 0.88**epoch + 0.12 for epoch in epochs]
    return {
        "stages": [
            Bar("true classes on our proposals", 6.4),
            Bar("our classes on true segments", 14.2),
            Bar("the best segments of the grid", 30.9),
        ],
        "recall": [83 * (1 - 0.96**count) for count in range(1, 101)],
        "trainings": [
            Training("classifier", epochs, {"total": fall}, {"top1": [100 - 42 * loss for loss in fall]}, [0.004 * 0.9**e for e in epochs]),
            Training("proposals (BMN)", epochs[:20], {"total": [0.9 * loss + 0.6 for loss in fall[:20]], "tem": [0.5 * loss + 0.3 for loss in fall[:20]],
                     "pem_reg": [0.2 * loss for loss in fall[:20]], "pem_cls": [0.2 * loss + 0.3 for loss in fall[:20]]}, {}, [0.008 * 0.85**e for e in epochs[:20]]),
        ],
        "durations": Durations((truth["end"] - truth["start"]).to_numpy(float), 0.267, 8.0, ["Some segments are longer than the longest proposal."]),
        "facts": [
            Facts("Settings that differ from the shipped small.yaml", [("finetune.epochs", "30", "20"), ("bmn.duration_scale", "30", "20")], ("key", "here", "shipped")),
            Facts("Time of each stage", [("finetune", "5 min", "2026-11-23 10:12"), ("bmn", "2 min", "2026-11-23 10:16")], ("stage", "took", "ended (UTC)")),
        ],
    }  # fmt: skip


def _truth(
    rng: np.random.Generator, video: str, seconds: float, classes: tuple[str, ...]
) -> pd.DataFrame:
    rows, at = [], rng.uniform(0.5, 3)
    while at < seconds - 4:
        length = float(np.clip(rng.lognormal(1.3, 0.6), 0.6, seconds - at))
        rows.append((video, at, at + length, str(rng.choice(classes))))
        at += length + rng.uniform(0.5, 5)
    return pd.DataFrame(rows, columns=["video", "start", "end", "label"])


def _weak(
    rng: np.random.Generator, videos: list[str], seconds: float, rows: int, names: np.ndarray
) -> pd.DataFrame:
    count = rows * len(videos)
    start = rng.uniform(0, seconds - 1, count)
    return pd.DataFrame({
        "video": np.repeat(np.array(videos, object), rows),
        "start": start,
        "end": np.minimum(start + rng.uniform(0.5, 9, count), seconds),
        "label": rng.choice(names, count),
        "score": rng.beta(1.2, 8, count) * 0.7,
    })  # fmt: skip
