"""docs/own-data.md, followed step by step: its table, its configuration and its commands, in its order."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from pipeline.annotations import table
from pipeline.cli import main
from pipeline.demo import make_dataset

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "own-data.md").read_text()
# The document's own configuration, made small: another network and shorter windows, nothing else.
SMALL = [
    "backbone.depth=[1,1,1,1]", "backbone.width=4", "backbone.pretrained=null", "finetune.epochs=1",
    "finetune.warmup_epochs=0", "finetune.batch_size=4", "finetune.crop=32", "finetune.short_side=[32,36]",
    "finetune.eval_short_side=32", "extract.short_side=32", "bmn.epochs=1", "bmn.warmup_epochs=0",
    "bmn.batch_size=2", "bmn.hidden_1d=8", "bmn.hidden_2d=8", "bmn.hidden_3d=8", "bmn.num_samples=4",
    "bmn.temporal_scale=40", "bmn.duration_scale=20",
]  # fmt: skip


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def follow(line: str) -> str:
    words = shlex.split(line)
    assert words[0] == "tada-loc"
    small = [word for assignment in SMALL for word in ("--set", assignment)]
    # The document's own options stand last, and win.
    arguments = [words[1], *small, "--device", "cpu", "--workers", "0", *words[2:]]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch):
    """A folder as step 1 lays it out: videos, own.csv with the document's columns, and tada-loc.yaml."""
    monkeypatch.chdir(tmp_path)
    make_dataset(Path("drawn"), train_videos=4, val_videos=2, seconds=10.0, workers=1)
    shutil.move("drawn/videos", "videos")
    rows = pd.read_csv("drawn/annotations.csv")
    rows["label"] = np.where(np.arange(len(rows)) % 2, "pour", "stir")  # few videos: two classes
    (example,) = blocks("csv")
    rows[example.splitlines()[0].split(",")].to_csv("own.csv", index=False)
    (configuration,) = blocks("yaml")
    Path("tada-loc.yaml").write_text(configuration)
    return tmp_path


def test_the_table_of_the_document_is_read(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(blocks("csv")[0])
    dataset = table.read([path], "training", "validation")
    assert dataset.heads == (("pour", "stir"),) and len(dataset.rows("training")) == 3


def test_the_document_step_by_step(here):
    lines = [
        line
        for block in blocks("sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]
    assert len(lines) >= 12 and lines[0].startswith("tada-loc doctor")
    outputs = {line: follow(line) for line in lines}
    said = {line.split()[1]: text for line, text in reversed(outputs.items())}
    assert "nothing wrong" in said["doctor"]
    assert "@0.1" in said["run"] and "average" in said["run"]
    assert all("nothing to do" in said[stage] for stage in ("finetune", "extract", "classify"))
    assert "stale" not in said["status"] and said["status"].count("complete") == 6
    assert len(json.loads(Path("numbers.json").read_text())["iou"]) == 10
    for name in re.findall(r"`((?:runs|exported)/[^`*]+\.\w+)`", TEXT):
        assert Path(name).is_file(), name
    assert json.loads(Path("doctor.json").read_text())["ok"]
    # What was exported and imported again are the run's features, and give as many proposals' videos.
    one, two = (
        pd.read_csv(f"runs/{run}/bmn/proposals/proposals.csv") for run in ("own", "imported")
    )
    assert set(one["video"]) == set(two["video"])


def test_the_numbers_of_the_text_follow_from_the_configuration():
    import yaml

    config = yaml.safe_load(blocks("yaml")[0])
    position = config["extract"]["stride"] / config["extract"]["fps"]
    assert f"{position:.2f} s" in TEXT
    assert f"= {config['bmn']['temporal_scale'] * position:.0f} s seen" in TEXT
    assert f"actions up to {config['bmn']['duration_scale'] * position:.0f} s" in TEXT
    options = "--fps {fps} --stride {stride}".format(**config["extract"])
    assert options in TEXT
