"""What `benchmarks.processes` trains: a small drawn dataset, and every option that a step depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from pipeline.configuration.reading import find_config, load_config
from pipeline.demo.dataset import ACTIONS, make_dataset
from pipeline.runs.run import Run
from pipeline.stages import import_features
from pipeline.training.checkpoints import save_weights
from pipeline.training.networks.classifier import new_classifier

# (width, height) in pixels, videos that train and that validate: the first two are of nearly one shape.
SHAPES = {"wide": (64, 48, 5, 1), "near": (66, 50, 3, 0), "tall": (48, 64, 5, 1)}
CHANNELS = 12  # of the drawn features
UNREADABLE = "wide_training_001"  # in one of the cases


@dataclass(frozen=True)
class Case:
    """A training: its stage, and its settings besides those of SMALL and its data."""

    stage: str
    settings: Mapping[str, Any] = field(default_factory=dict)


SMALL: dict[str, Any] = {
    "backbone.depth": [1, 1, 1, 1],
    "backbone.width": 4,
    "backbone.dropout": 0.5,
    "finetune.epochs": 2,
    "finetune.warmup_epochs": 0.5,
    "finetune.batch_size": 7,  # of 26 clips: the last batch is of five
    "finetune.frames": 4,
    "finetune.interval": 8,
    "finetune.crop": 24,
    "finetune.short_side": [24, 28],
    "finetune.eval_short_side": 24,
    "finetune.flip_swaps_sides": False,
    "finetune.keep": "last",
    "bmn.epochs": 3,
    "bmn.batch_size": 7,
    "bmn.temporal_scale": 24,
    "bmn.duration_scale": 16,
    "bmn.window_step": 12,
    "bmn.hidden_1d": 8,
    "bmn.hidden_2d": 8,
    "bmn.hidden_3d": 8,
    "bmn.num_samples": 4,
    "bmn.random_windows": False,
    "bmn.keep": "last",
    "bmn.min_inside": 0.6,
    "runtime.device": "cpu",
    "runtime.workers": 0,
}
MIXED = {"finetune.augment.mixup": 0.8, "finetune.augment.cutmix": 1.0}
WHOLE = {"finetune.crop": "whole", "finetune.short_side": [24, 48], "finetune.batch_size": 6}
BEST = {"dataset.hold_out": 0.3}
# Every option that a step depends on is in one of them.
CASES: dict[str, Case] = {
    "square": Case(
        "finetune",
        {
            "finetune.keep": "ema",
            "finetune.label_smoothing": 0.1,
            "finetune.activation_checkpointing": True,
        },
    ),
    "whole": Case(
        "finetune",
        WHOLE
        | BEST
        | {
            "finetune.flip_swaps_sides": True,
            "finetune.keep": "best",
            "finetune.batch_size": 5,  # the smallest batch is of three
        },
    ),
    "mixed": Case("finetune", MIXED | WHOLE | {"finetune.optimizer": "sgd"}),
    "pieces": Case(
        "finetune",
        MIXED
        | {
            "finetune.gradient_accumulation": 2,
            "finetune.batch_size": 9,
            "finetune.grad_clip": 0.5,
            "finetune.label_smoothing": 0.1,
        },
    ),
    "frozen": Case(
        "finetune",
        {
            "finetune.freeze_norm": True,
            "finetune.augment.color_jitter": 0.5,
            "finetune.augment.rand_augment": [2, 9],
            "finetune.augment.erasing": 0.5,
        },
    ),
    "verb and noun": Case(
        "finetune",
        {
            "finetune.balance": "sqrt",
            "finetune.clips_per_segment": 2,
            "finetune.sampling": "segments",
            "finetune.epochs": 1,
            "finetune.optimizer": "adam",
        },
    ),
    "slowfast": Case(
        "finetune",
        {"backbone.name": "slowfast_4x16", "finetune.frames": 16, "finetune.epochs": 1},
    ),
    "unreadable": Case("finetune", {"runtime.allow_failures": 1, "finetune.batch_size": 5}),
    "windows": Case("bmn", BEST | {"bmn.keep": "best", "bmn.ema_decay": 0.9, "bmn.batch_size": 5}),
    "moving windows": Case("bmn", {"bmn.random_windows": True, "bmn.regression": True}),
    "rescaled": Case("bmn", {"bmn.mode": "rescale", "bmn.regression": True}),
    "window pieces": Case("bmn", {"bmn.gradient_accumulation": 2}),
}


def prepare(folder: Path) -> list[dict[str, Any]]:
    """Draw what the cases train on, in `folder`; the cases as `benchmarks.processes_trainings` takes them."""
    table = draw_videos(folder)
    overrides = {
        "dataset.videos": str(folder / "videos"),
        "dataset.annotations": str(folder / "annotations.csv"),
    }
    run = Run(folder / "features", load_config(find_config("demo"), SMALL | overrides))
    draw_features(folder / "arrays", run)
    import_features.run(run, [folder / "arrays"])
    write_pairs(table, folder)
    write_pretrained(run, folder / "pretrained.pt")
    break_one(folder)
    special = {
        "unreadable": {"dataset.videos": str(folder / "broken")},
        "frozen": {"backbone.pretrained": str(folder / "pretrained.pt")},
        "verb and noun": {
            "dataset.format": "epic_kitchens",
            "dataset.annotations": [str(folder / f"{name}.csv") for name in ("train", "validate")],
        },
    }
    return [
        {
            "name": name,
            "stage": case.stage,
            "config": "demo",
            "settings": {**SMALL, **overrides, **case.settings, **special.get(name, {})},
            "from": str(run.folder) if case.stage == "bmn" else None,
        }
        for name, case in CASES.items()
    ]


def draw_videos(folder: Path) -> pd.DataFrame:
    """Draw videos of SHAPES in one folder of videos; the annotations, written beside it."""
    tables = []
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    for seed, (name, (width, height, train, validate)) in enumerate(SHAPES.items()):
        part = folder / name
        make_dataset(
            part,
            seed=seed,
            train_videos=train,
            val_videos=validate,
            seconds=14.0,
            size=(width, height),
            workers=1,
        )
        for path in (part / "videos").iterdir():
            path.replace(folder / "videos" / f"{name}_{path.name}")
        table = pd.read_csv(part / "annotations.csv")
        tables.append(table.assign(video=name + "_" + table["video"]))
    whole = pd.concat(tables, ignore_index=True)
    whole.to_csv(folder / "annotations.csv", index=False)
    return whole


def break_one(folder: Path) -> None:
    """Make `broken`, the same videos but for one of them that cannot be read."""
    (folder / "broken").mkdir(exist_ok=True)
    for path in (folder / "videos").iterdir():
        link = folder / "broken" / path.name
        link.unlink(missing_ok=True)
        if path.stem == UNREADABLE:
            link.write_bytes(b"no video")
        else:
            link.symlink_to(path.resolve())


def draw_features(folder: Path, run: Run) -> None:
    """Draw features [clips, CHANNELS] of every video, as long as it is."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for video in run.videos:
        clips = rng.standard_normal((52, CHANNELS)).astype(np.float32)
        np.save(folder / f"{video}.npy", clips)


def write_pairs(table: pd.DataFrame, folder: Path) -> None:
    """Write the annotations once more, as EPIC-KITCHENS-100 has them: a verb and a noun a segment."""
    classes = table["label"].map(list(ACTIONS).index)
    times = {
        f"{name}_timestamp": [f"00:00:{seconds:06.3f}" for seconds in table[column]]
        for name, column in (("start", "start"), ("stop", "end"))
    }
    pairs = {"verb_class": classes // 2, "noun_class": classes % 2}
    rows = pd.DataFrame({"video_id": table["video"], **times, **pairs, "subset": table["subset"]})
    for name, subset in (("train", "training"), ("validate", "validation")):
        rows[rows["subset"] == subset].to_csv(folder / f"{name}.csv", index=False)


def write_pretrained(run: Run, path: Path) -> None:
    """Write initial weights whose batch norms have seen something."""
    model = new_classifier(run.config.backbone, run.dataset.num_classes, seed=1)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 4, 32, 32))
    save_weights(model, path)
