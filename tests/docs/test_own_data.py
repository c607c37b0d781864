"""docs/how-to/own-data.md, followed step by step from videos and a table alone: its commands do what it says of them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.documents.lines import lines_of_page
from helpers.documents.reading import blocks_of
from helpers.paths import ROOT

from pipeline.configuration.reading import load_config
from pipeline.data.annotations import table
from pipeline.data.annotations.dataset import Inputs
from pipeline.tools.init.advice import CPU, GPU, LONGEST_CLIP, POSITIONS_IN_SHORTEST

DOCUMENT = ROOT / "docs" / "how-to" / "own-data.md"
TEXT = DOCUMENT.read_text()
RULES = (ROOT / "docs" / "how-to" / "grid.md").read_text()  # what init chooses a grid by
LINES = lines_of_page(DOCUMENT)


def example() -> str:
    (text,) = [block.text for block in blocks_of(DOCUMENT) if block.language == "csv"]
    return text


@pytest.fixture
def page(page_folder):
    """A folder as step 1 lays it out: videos, and own.csv with the document's columns."""
    page = page_folder("no run")
    for path in page.folder.iterdir():
        if path.is_dir() and path.name != "videos":
            shutil.rmtree(path)
    assert pd.read_csv("own.csv").columns.tolist() == example().splitlines()[0].split(",")
    return page


def test_the_table_of_the_document_is_read(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(example())
    dataset = table.read(Inputs([path]))
    assert dataset.heads == (("pour", "stir"),) and len(dataset.rows("training")) == 3


def test_the_document_step_by_step(page):
    assert len(LINES) >= 13 and LINES[0].text.startswith("tada-loc init")
    outputs = {line.text: page.run(line) for line in LINES}
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


def test_the_numbers_of_the_text_are_those_init_writes(page):
    page.run(LINES[0])
    extract = load_config(Path("tada-loc.yaml")).extract
    (line,) = [line.text for line in LINES if line.text.startswith("tada-loc import-features")]
    assert line.endswith(f"--fps {extract.fps:g} --stride {extract.stride}")
    for number in (CPU.durations, GPU.durations, POSITIONS_IN_SHORTEST):
        assert str(number) in RULES.replace("an eighth", "8")
    assert f"{CPU.clips:,}" in RULES and GPU.clips == 1e6 and "a million" in RULES
    assert f"at most {LONGEST_CLIP} s" in RULES
