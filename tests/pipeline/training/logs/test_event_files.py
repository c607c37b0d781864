"""TensorBoard reads back what was logged: each step once, resumed or not."""

from __future__ import annotations

from itertools import pairwise

import pytest

pytest.importorskip("tensorboard", reason="tensorboard is not installed")


from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.errors import UsageError
from pipeline.training.logs import opening
from pipeline.training.logs.event_files import FOLDER, EventFiles, write_figures
from pipeline.training.logs.metrics import METRICS, read_metrics
from pipeline.training.logs.opening import open_log, require_trackers


def row(step: int, kind: str = "step", **more: float) -> dict:
    base = {"row": kind, "epoch": 1, "step": step, "learning_rate": 0.5, "seconds": 2.0 * step}
    return base | {"total": 1 / step} | more


def read(folder) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return events


def scalars(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def test_what_was_told_is_read_back(tmp_path):
    log = open_log(
        ["tensorboard"], tmp_path, run="own", title="bmn", settings={"bmn": {"a": 1}}, batch=4
    )
    log.begin(0, 0)
    for step in range(1, 6):
        log.step(1, step, 0.1 / step, {"total": step / 8, "start": 0.5})
    log.epoch(5, {"epoch": 1, "lr": 0.02, "total": 0.375, "val_total": 0.25})
    log.close()
    folder = tmp_path / FOLDER
    assert scalars(folder, "step/total") == [(step, step / 8) for step in range(1, 6)]
    assert scalars(folder, "epoch/val_total") == [(5, 0.25)]
    assert scalars(folder, "step/learning_rate")[0] == (1, pytest.approx(0.1))
    tags = read(folder).Tags()
    assert "settings/text_summary" in tags["tensors"]
    text = read(folder).Tensors("settings/text_summary")[0].tensor_proto.string_val[0]
    assert b'"a": 1' in text
    assert [one["step"] for one in read_metrics(tmp_path / METRICS)] == [1, 2, 3, 4, 5, 5]


def test_a_training_that_goes_on_has_each_step_once_at_its_time(tmp_path):
    first = EventFiles(tmp_path, "")
    first.begin([])
    for step in (1, 2, 3):
        first.add(row(step))
    first.close()
    second = EventFiles(tmp_path, "")
    second.begin([row(1), row(2)])  # the checkpoint is of step 2
    for step in (3, 4):
        second.add(row(step))
    second.close()
    events = read(tmp_path).Scalars("step/total")
    assert [event.step for event in events] == [1, 2, 3, 4]
    times = [event.wall_time for event in events]
    assert [round(b - a, 3) for a, b in pairwise(times)] == [2.0] * 3
    assert len(list(tmp_path.glob("events.*"))) == 1


def test_figures_of_an_evaluation_are_those_of_the_last_one(tmp_path):
    write_figures(tmp_path, {"mAP/average": 50.0})
    write_figures(tmp_path, {"mAP/average": 61.5, "mAP/0.5": 88.0})
    assert scalars(tmp_path, "mAP/average") == [(0, 61.5)]
    assert scalars(tmp_path, "mAP/0.5") == [(0, 88.0)]


def test_a_package_that_is_missing_is_one_line_with_how_to_install_it(monkeypatch):
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda name: None)
    for kind in ("tensorboard", "wandb"):
        with pytest.raises(UsageError, match=rf"pip install {kind} \(the extra {kind}\)"):
            require_trackers([kind])
    require_trackers(["csv"])
