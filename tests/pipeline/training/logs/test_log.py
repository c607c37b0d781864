"""A training tells of each step and epoch once, resumed or not, and nothing of it changes the training."""

from __future__ import annotations

import json

import pytest
import torch
from helpers.tiny_training import Killed, TinyStage, batches_of, network, settings_of

from pipeline.training.logs.log import TrainingLog
from pipeline.training.logs.metrics import METRICS, MetricsFile, read_metrics
from pipeline.training.loop import fit
from pipeline.training.task import Task

STEPS, EPOCHS, BATCH = 5, 3, 6
CPU = torch.device("cpu")
TIMES = {"seconds", "samples_per_second"}  # of a row, which differ from run to run


class Told:
    """A tracker that keeps what it receives."""

    def __init__(self):
        self.rows, self.ended = None, 0

    def begin(self, rows):
        self.rows = list(rows)

    def add(self, row):
        self.rows.append(row)

    def save(self):
        pass

    def close(self):
        self.ended += 1


def loss(model, batch, generator):
    noise = torch.rand(BATCH, 1, generator=generator)
    value = ((model(batch["x"]) - noise) ** 2).mean()
    return {"start": value / 3, "end": 2 * value / 3, "total": value}


def killed_at(step):
    count = iter(range(1000))

    def inner(model, batch, generator):
        if next(count) == step:
            raise Killed
        return loss(model, batch, generator)

    return inner


def train(folder, loss=loss, *, validate=lambda model: {"val": 1.5}, logged=True, **keys):
    told, model = Told(), network()
    log = TrainingLog(MetricsFile(folder / METRICS), [told], BATCH) if logged else None
    task = Task(
        "training", batches_of(STEPS, EPOCHS, ("a",)), loss, STEPS, {"samples": "s"}, validate
    )
    try:
        history, _ = fit(model, task, settings_of(EPOCHS, **keys), TinyStage(folder), CPU, log)
    finally:
        train.told = told
    return model, history, told


def without_times(rows):
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def test_a_row_a_step_and_a_row_an_epoch(tmp_path):
    _, history, told = train(tmp_path)
    rows = read_metrics(tmp_path / METRICS)
    assert rows == told.rows and told.ended == 1
    steps = [row for row in rows if row["row"] == "step"]
    epochs = [row for row in rows if row["row"] == "epoch"]
    assert [row["step"] for row in steps] == list(range(1, STEPS * EPOCHS + 1))
    assert [row["epoch"] for row in steps] == [1] * 5 + [2] * 5 + [3] * 5
    assert [row["step"] for row in epochs] == [5, 10, 15]
    for row, of_history in zip(epochs, history, strict=True):
        assert row["learning_rate"] == of_history["lr"] and row["val"] == 1.5
        assert row["total"] == of_history["total"]
        mine = [one["total"] for one in steps if one["epoch"] == row["epoch"]]
        assert sum(mine) / STEPS == pytest.approx(row["total"])
    assert all(set(steps[0]) == set(row) for row in steps)
    assert {"start", "end", "total", "learning_rate"} | TIMES < set(steps[0])
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("step", [0, 1, 4, 5, 7, 14])
@pytest.mark.parametrize("every", [1e-9, 1e9], ids=["each step saved", "epochs saved"])
def test_killed_and_resumed_tells_the_same_as_unbroken(tmp_path, step, every):
    train(tmp_path / "whole")
    whole = read_metrics(tmp_path / "whole" / METRICS)
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        train(folder, killed_at(step), checkpoint_seconds=every)
    _, _, told = train(folder)
    resumed = read_metrics(folder / METRICS)
    assert without_times(resumed) == without_times(whole)
    assert told.rows == resumed
    seconds = [row["seconds"] for row in resumed]
    assert seconds == sorted(seconds), "time goes on where the process before stood"


def test_rows_that_a_kill_left_behind_the_checkpoint_are_not_doubled(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, killed_at(8), checkpoint_seconds=1e9)  # the checkpoint is of step 5
    assert len(read_metrics(tmp_path / METRICS)) == 9, "closed with all that was logged"
    train(tmp_path)
    steps = [row["step"] for row in read_metrics(tmp_path / METRICS) if row["row"] == "step"]
    assert steps == list(range(1, 16))


def test_the_log_changes_no_digit(tmp_path):
    with_log, history, _ = train(tmp_path / "with")
    without, plain, _ = train(tmp_path / "without", logged=False)
    assert json.dumps(history) == json.dumps(plain)
    for one, other in zip(
        with_log.state_dict().values(), without.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_new_training_in_an_old_folder_begins_anew(tmp_path):
    train(tmp_path)
    (tmp_path / "checkpoint.pt").unlink()
    _, _, told = train(tmp_path)
    assert [row["step"] for row in told.rows if row["row"] == "step"] == list(range(1, 16))
    assert len(read_metrics(tmp_path / METRICS)) == 18
