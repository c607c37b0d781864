"""`tada-loc init`: a configuration from a user's own videos and table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from helpers.paths import ROOT

from pipeline.cli.commands import main
from pipeline.configuration.reading import load_config
from pipeline.demo.dataset import make_dataset
from pipeline.tools.init.footage import SIDES, Footage, look_at

FOOTAGE = Footage(
    videos=20, segments=100, training_segments=70, classes=6, rarest=10, commonest=15, fps=25.0,
    short_side=480, seconds=700.0, shortest=2.0, quarter=2.6, longest=4.5, sided=(), paired=False,
)  # fmt: skip


def init(*words: str):
    return CliRunner().invoke(main, ["init", *words], catch_exceptions=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    make_dataset(folder, train_videos=4, val_videos=2, seconds=12.0, workers=1)
    return folder


def test_what_it_writes_trains(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = init(
        str(drawn / "videos"), str(drawn / "annotations.csv"), "--for", "cpu", "--workers", "0"
    )
    assert result.exit_code == 0, result.output
    assert "6 videos" in result.output and "tada-loc run" in result.output
    config = load_config(Path("tada-loc.yaml"))
    found = look_at(config.dataset, workers=0)
    assert found.sided  # slide left, slide right
    assert config.finetune.flip_swaps_sides == found.paired
    assert config.extract.fps == 15 and config.finetune.min_steps >= 300
    small = ["--set", "finetune.min_steps=0", "--set", "finetune.epochs=3", "--set", "backbone.width=4",
             "--set", "bmn.min_steps=0", "--set", "bmn.epochs=2", "--workers", "0"]  # fmt: skip
    result = CliRunner().invoke(main, ["run", *small], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "average" in result.output
    found = CliRunner().invoke(main, ["doctor", *small]).output.splitlines()
    cells = [line for line in found if line.startswith("segments")]
    assert cells and not any("WRONG" in line for line in cells), found


def test_an_existing_file_is_kept(drawn, tmp_path):
    words = [
        str(drawn / "videos"),
        str(drawn / "annotations.csv"),
        "--to",
        str(tmp_path / "c.yaml"),
        "--workers",
        "0",
    ]
    (tmp_path / "c.yaml").write_text("mine")
    result = init(*words)
    assert (
        result.exit_code == 1 and "c.yaml: exists" in result.output and "--force" in result.output
    )
    assert (tmp_path / "c.yaml").read_text() == "mine"
    assert init(*words, "--force").exit_code == 0
    assert load_config(tmp_path / "c.yaml").dataset.name == "own"


def test_a_gpu_gets_a_larger_network(drawn, tmp_path):
    path = tmp_path / "gpu.yaml"
    result = init(
        str(drawn / "videos"),
        str(drawn / "annotations.csv"),
        "--for",
        "gpu",
        "--to",
        str(path),
        "--workers",
        "0",
    )
    assert result.exit_code == 0
    config = load_config(path)
    assert config.backbone.pretrained == "imagenet" and config.extract.short_side == 224


def test_activitynet_json_is_taken(drawn, tmp_path):
    rows = pd.read_csv(drawn / "annotations.csv")
    database = {
        video: {
            "subset": part["subset"].iloc[0],
            "duration": 12.0,
            "annotations": [
                {"segment": [row.start, row.end], "label": row.label} for row in part.itertuples()
            ],
        }
        for video, part in rows.groupby("video")
    }
    (tmp_path / "a.json").write_text(json.dumps({"database": database}))
    result = init(
        str(drawn / "videos"),
        str(tmp_path / "a.json"),
        "--to",
        str(tmp_path / "c.yaml"),
        "--workers",
        "0",
    )
    assert result.exit_code == 0, result.output
    assert load_config(tmp_path / "c.yaml").dataset.format == "activitynet"


def test_mistakes_are_one_line(drawn, tmp_path):
    table = tmp_path / "own.csv"
    rows = pd.read_csv(drawn / "annotations.csv")
    (tmp_path / "a.json").write_text('{"database": {}}')
    for words, said in (
        ([str(tmp_path / "nowhere"), str(drawn / "annotations.csv")], "no such folder"),
        ([str(drawn / "videos"), str(tmp_path / "no.csv")], "cannot be read"),
        ([str(drawn / "videos"), str(table)], "none of the 2 annotated videos"),
        (
            [str(drawn / "videos"), str(table), str(tmp_path / "a.json")],
            "a.json: looks like ActivityNet",
        ),
    ):
        others = rows.head(2).assign(video=["other", "another"])
        others.drop(columns="subset").to_csv(table, index=False)
        result = init(*words, "--to", str(tmp_path / "c.yaml"), "--workers", "0")
        assert result.exit_code == 1 and said in result.output, result.output
        assert "Traceback" not in result.output and not (tmp_path / "c.yaml").exists()
    assert init(str(drawn / "videos")).exit_code == 2


def test_missing_videos_are_said(drawn, tmp_path):
    rows = pd.read_csv(drawn / "annotations.csv")
    extra = rows.head(1).assign(video="lost")
    pd.concat([rows, extra]).to_csv(tmp_path / "own.csv", index=False)
    result = init(
        str(drawn / "videos"),
        str(tmp_path / "own.csv"),
        "--to",
        str(tmp_path / "c.yaml"),
        "--workers",
        "0",
    )
    assert result.exit_code == 0 and "1 of 7 annotated videos are not in" in result.output


def test_footage_is_measured(drawn):
    config = load_config(ROOT / "pipeline" / "configs" / "demo.yaml", {
        "dataset.videos": str(drawn / "videos"), "dataset.annotations": str(drawn / "annotations.csv"),
    })  # fmt: skip
    footage = look_at(config.dataset, workers=0)
    rows = pd.read_csv(drawn / "annotations.csv")
    lengths = rows["end"] - rows["start"]
    assert footage.videos == 6 and footage.segments == len(rows)
    assert footage.fps == pytest.approx(15) and footage.short_side == 48
    assert footage.seconds == pytest.approx(72, abs=1)
    assert footage.shortest == pytest.approx(lengths.quantile(0.05))
    assert footage.training_segments == (rows["subset"] == "training").sum()


@pytest.mark.parametrize(
    ("label", "sided"),
    [("turn left", True), ("Right hand", True), ("counter-clockwise", True), ("bright light", False),
     ("leftover", False), ("slide_left", True)],
)  # fmt: skip
def test_labels_with_a_side(label, sided):
    assert bool(SIDES.search(label)) == sided
