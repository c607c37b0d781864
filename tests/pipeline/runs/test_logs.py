"""What a run's trainings tell: metrics.csv beside each, TensorBoard where asked for, figures at the end."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from helpers.small_runs import error_line, kill, often_saved, options, start, tada, without_stages

from pipeline.configuration.reading import RUN_CONFIG, read_config
from pipeline.training.logs import opening
from pipeline.training.logs.metrics import METRICS, read_metrics

TIMES = {"seconds", "samples_per_second"}


def without_times(rows):
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


@pytest.mark.parametrize("stage", ["finetune", "bmn"])
def test_every_training_leaves_its_metrics(whole, stage):
    rows = read_metrics(whole / stage / METRICS)
    history = json.loads((whole / stage / "history.json").read_text())
    epochs = [row for row in rows if row["row"] == "epoch"]
    steps = [row for row in rows if row["row"] == "step"]
    assert [row["step"] for row in steps] == list(range(1, len(steps) + 1))
    for row, of_history in zip(epochs, history, strict=True):
        for name, value in of_history.items():
            assert row["learning_rate" if name == "lr" else name] == value
        mine = [one["total"] for one in steps if one["epoch"] == row["epoch"]]
        assert sum(mine) / len(mine) == pytest.approx(row["total"])


def test_a_killed_training_goes_on_in_the_same_file(whole, data, tmp_path):
    run = tmp_path / "run"
    process = start(often_saved(data, run))
    path = run / "bmn" / METRICS
    while process.poll() is None and not (path.exists() and len(read_metrics(path)) > 3):
        time.sleep(0.02)
    kill(process)
    done = tada(*often_saved(data, run))
    assert done.exit_code == 0, done.output
    for stage in ("finetune", "bmn"):
        resumed, unbroken = (read_metrics(one / stage / METRICS) for one in (run, whole))
        assert without_times(resumed) == without_times(unbroken)


def test_tensorboard_shows_trainings_and_figures(whole, data, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    done = tada("run", *options(data, run), "--log", "tensorboard", "--log", "csv")
    assert done.exit_code == 0, done.output
    config = read_config((run / RUN_CONFIG).read_text(), run / RUN_CONFIG, quiet=True)
    assert config.runtime.log == ("tensorboard", "csv")
    read = {}
    for stage in ("bmn", "eval"):
        events = EventAccumulator(str(run / stage / "tensorboard"), {"scalars": 0})
        read[stage] = events.Reload()
    steps = read["bmn"].Scalars("step/total")
    rows = [row for row in read_metrics(run / "bmn" / METRICS) if row["row"] == "step"]
    assert [event.step for event in steps] == [row["step"] for row in rows]
    assert [event.value for event in steps] == pytest.approx([row["total"] for row in rows])
    figures = json.loads((run / "eval/results.json").read_text())
    found = read["eval"].Scalars("mAP/average")[0].value
    assert found == pytest.approx(figures["tasks"]["mAP"]["average"])
    assert (
        "AR/100" in read["eval"].Tags()["scalars"] and "mAP/0.5" in read["eval"].Tags()["scalars"]
    )
    # nothing that was logged changes what was trained
    for name in ("bmn/history.json", "classify/detections.csv", "eval/results.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert tada("verify", "--run-dir", str(run)).exit_code == 0


def test_a_tracker_that_is_not_installed_is_refused_before_any_work(data, tmp_path, monkeypatch):
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda name: None)
    run = tmp_path / "run"
    found = error_line(tada("run", *options(data, run), "--log", "wandb"))
    assert "pip install wandb (the extra wandb)" in found
    assert not (run / "finetune").exists()


def test_another_log_makes_nothing_stale(whole, data, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    done = tada("run", *options(data, run), "--log", "csv")
    assert done.exit_code == 0 and "complete, nothing to do" in done.stderr
