"""A tiny finished run with its videos, annotations and settings: what a change is made to."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from helpers.small_runs import SMALL, tada

from pipeline.configuration.reading import SHIPPED
from pipeline.demo.dataset import make_dataset
from truth import footage

TRAIN = ("training_000", "training_001", "training_002")
VAL = ("validation_000", "validation_001")
T0, T1, T2 = TRAIN
V0, V1 = VAL
FRAMES = "img_%05d.jpg"  # of the base with folders of frames
SPARE = "training_000"  # of the spare videos
HEADING = ["video", "start", "end", "label", "subset"]
ROWS = [
    [T0, "1.500", "4.250", "grow", "training"],
    [T1, "0.250", "1.750", "slide left", "training"],
    [T1, "3.000", "5.000", "shrink", "training"],
    [T2, "3.125", "5.250", "slide left", "training"],
    [V0, "3.500", "5.625", "shrink", "validation"],
    [V1, "0.500", "1.750", "slide left", "validation"],
    [V1, "2.000", "4.500", "grow", "validation"],
]
TINY = dict(text.split("=", 1) for text in SMALL) | {
    "finetune.epochs": "1", "finetune.warmup_epochs": "0", "finetune.batch_size": "2",
    "bmn.epochs": "1", "bmn.warmup_epochs": "0", "proposals.count": "20",
    "runtime.device": "cpu", "runtime.workers": "0",
}  # fmt: skip
# The settings of the finished runs that changes are made to, besides TINY.
BASES: dict[str, dict[str, str]] = {
    "plain": {},
    "best": {"finetune.keep": "best", "bmn.keep": "best", "finetune.epochs": "2"},
    "decoded": {"classify.source": "video"},
    "other": {"finetune.seed": "1", "bmn.seed": "1"},
    "frames": {"dataset.frame_fps": "15"},
    "linear": {"finetune.source": "features", "finetune.epochs": "4"},
    "scored": {"classify.scores": "DATA/scores.csv"},
}
IMPORTED = ("linear",)  # those whose features were made elsewhere


@dataclass
class World:
    """Everything a run is made of; a change may touch any of it."""

    root: Path
    base: str = "plain"
    settings: dict[str, str] = field(default_factory=dict)
    of_run: list[str] = field(default_factory=list)  # options that a run from scratch does not get
    by_file: bool = False  # the settings are in a configuration file

    @property
    def data(self) -> Path:
        return self.root / "world" / "data"

    @property
    def run(self) -> Path:
        return self.root / "world" / "run"

    @property
    def videos(self) -> Path:
        return self.data / ("frames" if self.base == "frames" else "videos")

    @property
    def table(self) -> Path:
        return self.data / "annotations.csv"

    def video(self, name: str) -> Path:
        return self.videos / f"{name}.mp4"

    @property
    def spare(self) -> Path:
        """A video that is no part of the data."""
        return self.root / "spare" / "videos" / f"{SPARE}.mp4"

    def template(self, base: str) -> Path:
        """The folder of a finished run as it was made."""
        return self.root / "made" / base

    def all_settings(self) -> dict[str, str]:
        own = {"dataset.videos": str(self.videos), "dataset.annotations": str(self.table)}
        given = {k: v.replace("DATA", str(self.data)) for k, v in BASES[self.base].items()}
        return {**own, **TINY, **given, **self.settings}

    def options(self, run: Path | None = None) -> list[str]:
        """What every command on the run gets."""
        config, rest = "demo", self.all_settings()
        if self.by_file:
            config, rest = str(self.root / "world" / "own.yaml"), {}
            _write_config(Path(config), self.all_settings())
        result = ["--config", config, "--run-dir", str(run or self.run)]
        for key, value in rest.items():
            result += ["--set", f"{key}={value}"]
        return result

    def run_from_scratch(self, run: Path | None = None) -> Any:
        """Every stage in an empty folder; features made elsewhere are imported before."""
        if self.base in IMPORTED:
            grid = ["--fps", "15", "--stride", "4"]
            source = ["--from", str(self.data / "features"), *grid]
            result = tada("import-features", *self.options(run), *source)
            if result.exit_code:
                return result
        return tada("run", *self.options(run))

    def do(self, command: str, *more: str) -> Any:
        """One command on the run."""
        return tada(command, *self.options(), *self.of_run, *more)

    def reset(self, base: str | None = None) -> None:
        """Everything as the finished run left it."""
        self.base = base or self.base
        shutil.rmtree(self.root / "world", ignore_errors=True)
        copy(self.template(self.base), self.root / "world")
        self.undo_settings()

    def undo(self) -> None:
        """Inputs and settings as they were; the run folder stays as it is."""
        self.undo_settings()
        shutil.rmtree(self.data)
        copy(self.template(self.base) / "data", self.data)

    def put_back(self) -> None:
        """Every file of the finished run that is not as it was; what else is there stays."""
        self.undo_settings()
        made = self.template(self.base) / "run"
        for source in sorted(path for path in made.rglob("*") if path.is_file()):
            target = self.run / source.relative_to(made)
            if target.is_file() and not target.is_symlink():
                if target.read_bytes() == source.read_bytes():
                    continue
                target.unlink()
            remove(target)
            copy(source, target)

    def undo_settings(self) -> None:
        self.settings, self.of_run, self.by_file = {}, [], False

    @contextmanager
    def on_a_copy(self) -> Iterator[None]:
        """What is done inside is done to a copy at the same place, and gone afterwards."""
        world, aside = self.root / "world", self.root / "aside"
        kept = dict(self.settings), list(self.of_run), self.by_file
        world.rename(aside)
        copy(aside, world)
        try:
            yield
        finally:
            shutil.rmtree(world)
            aside.rename(world)
            self.settings, self.of_run, self.by_file = kept

    def key(self) -> str:
        """What a run from scratch depends on."""
        digest = hashlib.sha256(repr(sorted(self.all_settings().items())).encode())
        for path in sorted(self.data.rglob("*")):
            digest.update(str(path.relative_to(self.data)).encode())
            digest.update(path.read_bytes() if path.is_file() else b"no file")
        return digest.hexdigest()


def make_world(root: Path) -> World:
    """The data; the finished runs are made when they are needed."""
    world = World(root)
    drawn = {"fps": 15.0, "seconds": 7.0, "size": (48, 36)}
    make_dataset(world.data, seed=3, train_videos=3, val_videos=2, **drawn)
    make_dataset(root / "spare", seed=4, train_videos=1, val_videos=0, **drawn)
    (world.data / "dataset.json").unlink()
    write_rows(world.table, ROWS)
    write_scores(world.data / "scores.csv")
    _write_features(world.data / "features")
    copy(world.data, root / "made" / "data")
    return world


def make_base(world: World, base: str) -> None:
    """Make a finished run, unless it is there."""
    if world.template(base).exists():
        return
    shutil.rmtree(world.root / "world", ignore_errors=True)
    (world.root / "world").mkdir()
    copy(world.root / "made" / "data", world.data)
    world.base = base
    if base == "frames":
        footage.as_frames(world.data / "videos", world.videos, FRAMES)
    world.undo_settings()
    result = world.run_from_scratch()
    assert result.exit_code == 0, result.output
    os.rename(world.root / "world", world.template(base))


def write_rows(path: Path, rows: list[list[str]], heading: list[str] | None = None) -> None:
    """The annotations, as a table."""
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([heading or HEADING, *rows])


def write_scores(path: Path, **first: str) -> None:
    """Class scores of the evaluation videos, made elsewhere; `first`: another score of `grow`, by video."""
    scores = {V0: ("0.2", "0.5", "0.3"), V1: ("0.45", "0.15", "0.4")}
    lines = ["video,label,score"]
    for video, values in scores.items():
        for label, score in zip(("grow", "shrink", "slide left"), values, strict=True):
            changed = label == "grow" and video in first
            lines.append(f"{video},{label},{first[video] if changed else score}")
    path.write_text("\n".join(lines) + "\n")


def _write_features(folder: Path) -> None:
    """Features of all videos, made elsewhere: a clip every 4 frames at 15 per second."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for video in (*TRAIN, *VAL):
        np.save(folder / f"{video}.npy", generator.normal(size=(26, 8)).astype(np.float32))


def _write_config(path: Path, settings: dict[str, str]) -> None:
    content = yaml.safe_load((SHIPPED / "demo.yaml").read_text())
    for key, value in settings.items():
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = yaml.safe_load(value)
    path.write_text(yaml.safe_dump(content))


def remove(path: Path) -> None:
    """Whatever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """A file or a folder with its times, links and pipes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
