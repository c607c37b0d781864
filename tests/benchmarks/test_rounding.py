"""The study of rounding: what is compared, and that it runs at the smallest size."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

from benchmarks.rounding import Ended, distance_table, distances, ending_table, main, marks
from benchmarks.rounding_trainings import FIRST
from pipeline.demo.dataset import make_dataset


def test_marks_end_with_the_last_step():
    assert marks(1) == [0, 1]
    assert marks(60) == [0, 1, 2, 5, 10, 20, 50, 60]


def test_the_same_training_again_is_the_same_and_a_moved_one_is_not(tmp_path):
    make_dataset(tmp_path, train_videos=2, val_videos=1, seconds=12.0)
    threads = torch.get_num_threads()
    found, name = distances(tmp_path, 2, torch.float32)
    assert torch.get_num_threads() == threads
    assert not any(found["1 thread, again"].values())
    assert 0 < found["one weight moved"][0] < 1e-8
    assert found["2 threads"][0] == 0
    assert FIRST.name not in found and len(name) == 12
    text = distance_table(found, torch.float32, name)
    assert name in text and text.splitlines()[0].split() == ["float32", "0", "1", "2"]


def test_endings_are_summed_up():
    square = [Ended(98.0, 90.0), Ended(99.0, 80.0)]
    text = ending_table({"square": square, "whole frames": [Ended(97.0, 97.0)] * 2})
    lines = [line.split() for line in text.splitlines()]
    assert lines[1] == ["square", "square", "98.50", "1.00", "98.0", "99.0"]
    assert lines[2] == ["square", "whole", "frames", "85.00", "10.00", "90.0", "80.0"]
    assert len(lines) == 4


@pytest.mark.slow
def test_the_study_runs(tmp_path):
    file = tmp_path / "numbers.json"
    line = ["--videos", "4", "--steps", "2", "--epochs", "2", "--copies", "2", "--json", str(file)]
    result = CliRunner().invoke(main, line, catch_exceptions=False)
    assert result.exit_code == 0 and "float64" in result.output
    assert len(json.loads(file.read_text())["endings"]["square"]) == 2
