"""The demo over seeds and threads: what is run, what is gone on from, and the table."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import demo_figure
from benchmarks.demo_figure import DemoRun, demo_table, main
from pipeline.demo.dataset import make_dataset
from pipeline.run_folder.manifests import write_json
from pipeline.runs.states import State


@pytest.fixture
def small(monkeypatch):
    def draw(folder):
        make_dataset(folder, train_videos=2, val_videos=1, seconds=12.0)

    monkeypatch.setattr("pipeline.demo.dataset.make_dataset", draw)


def test_the_table_is_of_all_runs():
    rows = [
        DemoRun(0, 1, 80.0, 60.0, 5.0, -0.1, 0.2),
        DemoRun(1, 2, 90.0, 64.0, 6.0, 0.1, float("nan")),
    ]
    lines = demo_table(rows).splitlines()
    assert lines[1].split() == ["0", "1", "80.00", "60.00", "5.0", "-0.100", "+0.200"]
    shown = {line.rsplit(maxsplit=2)[0]: line.split()[-2:] for line in lines[4:]}
    assert shown["mean"] == ["85.00", "62.00"] and shown["st. dev."] == ["7.07", "2.83"]
    assert shown["smallest"] == ["80.00", "60.00"] and shown["largest"] == ["90.00", "64.00"]
    assert shown["spread"] == ["10.00", "4.00"]
    assert "mean" not in demo_table(rows[:1])


def test_every_seed_is_run_with_every_number_of_threads(tmp_path, monkeypatch, small):
    calls = []

    def work(run, assignments, threads):
        calls.append((run.name, threads, assignments[-2:]))
        (run / "eval").mkdir(parents=True)
        (run / "classify").mkdir()
        made = {"iou": [0.5, 0.95], "tasks": {"mAP": {"map": [80.0, 5.0], "average": 42.5}}}
        write_json(run / "eval" / "results.json", made)
        # The truth, but a quarter of a second early.
        truth = pd.read_csv(tmp_path / "data" / "annotations.csv")
        truth = truth[truth["subset"] == "validation"].drop(columns="subset")
        moved = truth.assign(start=truth["start"] - 0.25, end=truth["end"] - 0.25, score=0.9)
        moved.to_csv(run / "classify" / "detections.csv", index=False)
        write_json(run / "took.json", {"seconds": 90})

    monkeypatch.setattr(demo_figure, "_run_stages", work)
    file = tmp_path / "numbers.json"
    line = ["--seeds", "2", "--threads", "1", "--threads", "2", "--to", str(tmp_path)]
    result = CliRunner().invoke(main, [*line, "--json", str(file)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert [call[:2] for call in calls] == [
        (f"tada2d_seed{seed}_threads{threads}", threads) for seed in (0, 1) for threads in (1, 2)
    ]
    assert calls[-1][2] == ["finetune.seed=1", "bmn.seed=1"]
    rows = json.loads(file.read_text())["runs"]
    assert len(rows) == 4 and rows[0]["at_half"] == 80.0 and rows[0]["minutes"] == 1.5
    assert rows[0]["start"] == pytest.approx(-0.25) and rows[0]["end"] == pytest.approx(-0.25)


def test_what_is_complete_is_not_run_again(tmp_path, monkeypatch, small):
    monkeypatch.setattr(demo_figure.Run, "state", lambda run, stage: State("complete"))
    monkeypatch.setattr(demo_figure, "_run_stages", lambda *_: pytest.fail("run again"))
    line = ["--seeds", "1", "--to", str(tmp_path)]
    result = CliRunner().invoke(main, line, catch_exceptions=False)
    assert result.exit_code == 1 and "results.json" in result.output


def test_a_run_that_fails_is_told_in_one_line(tmp_path, small):
    line = ["--seeds", "1", "--to", str(tmp_path), "--backbone", "resnet"]
    result = CliRunner().invoke(main, line, catch_exceptions=False)
    assert result.exit_code == 1
    said = result.output.strip().splitlines()[-1]
    assert said.startswith("Error: ") and "backbone.name = 'resnet'" in said, result.output
    assert json.loads((tmp_path / "resnet_seed0_threads1" / "took.json").read_text())["seconds"] > 0
