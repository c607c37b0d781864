"""docs/how-to/own-data.md, followed step by step: its table and its commands, in its order."""

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

from pipeline.cli.commands import main
from pipeline.configuration.reading import load_config
from pipeline.data.annotations import table
from pipeline.data.annotations.dataset import Inputs
from pipeline.demo.dataset import make_dataset
from pipeline.tools.init.advice import CPU, GPU, LONGEST_CLIP, POSITIONS_IN_SHORTEST

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "how-to" / "own-data.md").read_text()
# What init writes, made small: another network, less of a picture and one epoch, nothing else.
SMALL = [
    "backbone.width=4", "finetune.epochs=1", "finetune.min_steps=0", "finetune.warmup_epochs=0",
    "finetune.batch_size=4", "finetune.short_side=[32,36]", "finetune.eval_short_side=32",
    "extract.short_side=32", "bmn.epochs=1", "bmn.min_steps=0", "bmn.warmup_epochs=0", "bmn.batch_size=2",
    "bmn.hidden_1d=8", "bmn.hidden_2d=8", "bmn.hidden_3d=8", "bmn.num_samples=4",
]  # fmt: skip


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def shell_lines() -> list[str]:
    return [
        line
        for block in blocks("sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


def follow(line: str) -> str:
    words = shlex.split(line)
    assert words[0] == "tada-loc"
    here = [*SMALL, "runtime.device=cpu", "runtime.workers=0"]
    more = [word for assignment in here for word in ("--set", assignment)]
    if words[1] == "init":  # trains nothing; with a GPU it would write other settings
        more = ["--for", "cpu", "--workers", "0"]
    # The document's own options stand last, and win.
    arguments = [words[1], *more, *words[2:]]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch):
    """A folder as step 1 lays it out: videos, and own.csv with the document's columns."""
    monkeypatch.chdir(tmp_path)
    make_dataset(Path("drawn"), train_videos=4, val_videos=2, seconds=10.0, workers=1)
    shutil.move("drawn/videos", "videos")
    rows = pd.read_csv("drawn/annotations.csv")
    rows["label"] = np.where(np.arange(len(rows)) % 2, "pour", "stir")  # few videos: two classes
    (example,) = blocks("csv")
    rows[example.splitlines()[0].split(",")].to_csv("own.csv", index=False)
    return tmp_path


def test_the_table_of_the_document_is_read(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(blocks("csv")[0])
    dataset = table.read(Inputs([path]))
    assert dataset.heads == (("pour", "stir"),) and len(dataset.rows("training")) == 3


def test_the_document_step_by_step(here):
    lines = shell_lines()
    assert len(lines) >= 13 and lines[0].startswith("tada-loc init")
    outputs = {line: follow(line) for line in lines}
    said = {line.split()[1]: text for line, text in reversed(outputs.items())}
    assert "nothing wrong" in said["doctor"]
    assert "@0.1" in said["run"] and "average" in said["run"]
    assert all("nothing to do" in said[stage] for stage in ("finetune", "extract", "detect"))
    assert "stale" not in said["status"] and said["status"].count("complete") == 5
    assert len(json.loads(Path("numbers.json").read_text())["iou"]) == 10
    for name in re.findall(r"`((?:runs|exported)/[^`*]+\.\w+)`", TEXT):
        assert Path(name).is_file(), name
    assert json.loads(Path("doctor.json").read_text())["ok"]
    # What was exported and imported again are the run's features, and give as many proposals' videos.
    one, two = (
        pd.read_csv(f"runs/{run}/actionformer/detections/proposals.csv")
        for run in ("own", "imported")
    )
    assert set(one["video"]) == set(two["video"])


def test_the_numbers_of_the_text_are_those_init_writes(here):
    follow(shell_lines()[0])
    extract = load_config(Path("tada-loc.yaml")).extract
    (line,) = [line for line in shell_lines() if line.startswith("tada-loc import-features")]
    assert line.endswith(f"--fps {extract.fps:g} --stride {extract.stride}")
    for number in (CPU.durations, GPU.durations, POSITIONS_IN_SHORTEST):
        assert str(number) in TEXT.replace("an eighth", "8")
    assert f"{CPU.clips:,}".replace(",", " ") in TEXT and GPU.clips == 1e6 and "a million" in TEXT
    assert f"at most {LONGEST_CLIP} s" in TEXT
