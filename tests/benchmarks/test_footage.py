"""The study of joined footage: the footage is made where asked, and a run's figures are read."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import footage, joining
from benchmarks.choices import VARIANTS
from pipeline.configuration.reading import find_config, load_config, parse_overrides


def test_footage_is_made_once_for_a_seed(tmp_path, monkeypatch):
    def grey(path, fps, size):
        return np.full((180, size[1], size[0], 3), 90, np.uint8)

    monkeypatch.setattr(joining, "read_clip", grey)
    monkeypatch.setattr(joining, "VIDEOS", {"training": 1, "validation": 1})
    line = ["--clips", str(tmp_path), "--to", str(tmp_path / "made"), "--manner", "easy"]
    for _ in range(2):
        result = CliRunner().invoke(footage.main, [*line, "--only-make"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["easy_0"]
    assert len(list((tmp_path / "made/easy_0/videos").iterdir())) == 2


def test_the_figures_of_a_run_are_read(tmp_path):
    numbers = {"tasks": {"mAP": {"average": 60.0, "map": [80.0, 40.0]}}}
    (tmp_path / "numbers.json").write_text(json.dumps(numbers))
    truth = pd.DataFrame(
        {"video": "v", "start": [1.0], "end": [3.0], "label": "a", "subset": "validation"}
    )
    truth.to_csv(tmp_path / "own.csv", index=False)
    (tmp_path / "run" / "classify").mkdir(parents=True)
    found = truth.drop(columns="subset").assign(start=0.75, end=3.25, score=0.9)
    found.to_csv(tmp_path / "run" / "classify" / "detections.csv", index=False)
    assert footage.figures(tmp_path, tmp_path / "run") == {
        "average": 60.0,
        "@0.5": 40.0,
        "start": pytest.approx(-0.25),
        "end": pytest.approx(0.25),
    }


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_settings(name):
    assignments = ["finetune.short_side=[64, 64]", "finetune.eval_short_side=64"]  # as of init
    assignments += [f"{key}={value}" for key, value in VARIANTS[name].items()]
    load_config(find_config("demo"), parse_overrides(assignments))
