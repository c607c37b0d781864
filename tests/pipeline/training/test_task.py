"""What a training is: asked for its batches from where it stands, with or without a validation."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from helpers.tiny_training import Killed, TinyStage, batches_of, network, settings_of

from pipeline.training.loop import fit
from pipeline.training.task import Task

STEPS, EPOCHS = 4, 2
CPU = torch.device("cpu")


def task_of(asked, fails_at=None, **more):
    """A task that notes from where on it is asked for batches."""
    made = batches_of(STEPS, EPOCHS, ("a",))

    def batches(epoch, step):
        asked.append((epoch, step))
        return made(epoch, step)

    taken = iter(range(100))

    def loss(model, batch, generator):
        if next(taken) == fails_at:
            raise Killed
        return {"total": model(batch["x"]).square().mean()}

    return Task("training", batches, loss, STEPS, {"samples": "s"}, **more)


def test_batches_are_asked_for_once_from_where_the_training_stands(tmp_path):
    asked, stage = [], TinyStage(tmp_path)
    settings = settings_of(EPOCHS, checkpoint_seconds=1e-9)
    with pytest.raises(Killed):
        fit(network(), task_of(asked, fails_at=6), settings, stage, CPU)
    history, kept = fit(network(), task_of(asked), settings, stage, CPU)
    assert asked == [(0, 0), (1, 2)] and stage.noted[-1] == (STEPS * EPOCHS,) * 2
    assert kept == EPOCHS and [row["epoch"] for row in history] == [1, 2]


def test_its_figures_stand_beside_the_loss_and_its_score_chooses(tmp_path):
    asked, figures = [], iter([{"good": 2.0}, {"good": 1.0}])
    task = task_of(asked, validate=lambda model: next(figures), judge=lambda row: row["good"])
    history, kept = fit(network(), task, settings_of(EPOCHS, keep="best"), TinyStage(tmp_path), CPU)
    assert kept == 1 and [row["good"] for row in history] == [2.0, 1.0]
    assert set(history[0]) == {"epoch", "lr", "total", "good"}


def test_without_a_judge_no_epoch_is_chosen(tmp_path):
    task = task_of([], validate=lambda model: {"good": 1.0})
    settings = settings_of(EPOCHS, keep="best", patience=1)
    assert fit(network(), task, settings, TinyStage(tmp_path), CPU).kept == EPOCHS


def test_a_task_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        task_of([]).steps = 9
