"""The epoch a training keeps: the best one's weights, the earlier of equal ones, resumed as unbroken."""

from __future__ import annotations

import pytest
import torch
from helpers.tiny_training import Killed, TinyStage, batches_of, network, settings_of
from torch import nn

from pipeline.training.best_epoch import BestEpoch
from pipeline.training.checkpoints import load_state
from pipeline.training.loop import fit
from pipeline.training.task import Task

STEPS, EPOCHS = 3, 6
SCORES = [1.0, 4.0, 2.0, 4.0, 3.0, 0.0]  # by epoch; the best is the second
batches = batches_of(STEPS, EPOCHS, ("a",))


def copied(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


class Training:
    """A training whose epochs score as given; what was validated is kept, by epoch from 1."""

    def __init__(self, path, scores=SCORES, **options):
        self.path, self.scores, self.options = path, scores, options
        self.validated, self.model, self.taken = {}, network(), 0

    def run(self, kill_at=None):
        def loss(model, batch, generator):
            if self.taken == kill_at:
                raise Killed
            self.taken += 1
            return {"total": (model(batch["x"]) - 1).square().mean()}

        def validate(model):
            # The epoch follows from the batches the norm has seen, which a resumed training goes on with.
            epoch = int(self.model[1].num_batches_tracked) // STEPS
            self.validated[epoch] = copied(model)
            return {} if self.scores is None else {"score": self.scores[epoch - 1]}

        task = Task(
            "training", batches, loss, STEPS, {}, validate, judge=lambda row: row.get("score")
        )
        settings = settings_of(EPOCHS, checkpoint_seconds=1e-9, **self.options)
        return fit(self.model, task, settings, TinyStage(self.path), torch.device("cpu"))


def same(one, two):
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("average", [None, 0.9])
def test_the_best_epochs_weights_are_left_and_the_earlier_of_equal_ones(tmp_path, average, capsys):
    training = Training(tmp_path / "c", keep="best", ema_decay=average)
    history, kept = training.run()
    assert kept == 2 and [row["score"] for row in history] == SCORES
    same(copied(training.model), training.validated[2])
    assert "kept the weights of epoch 2, which validated best, of 6" in capsys.readouterr().err
    last = Training(tmp_path / "last", ema_decay=average)
    assert last.run().kept == EPOCHS
    same(copied(last.model), last.validated[EPOCHS])
    same(last.validated[2], training.validated[2])


def test_the_last_epoch_may_be_the_best(tmp_path, capsys):
    training = Training(tmp_path / "c", scores=list(range(EPOCHS)), keep="best")
    assert training.run().kept == EPOCHS
    same(copied(training.model), training.validated[EPOCHS])
    assert "the last epoch, 6, which validated best" in capsys.readouterr().err


def test_without_a_score_the_last_is_kept_and_it_is_said(tmp_path, capsys):
    training = Training(tmp_path / "c", scores=None, keep="best", patience=1)
    history, kept = training.run()
    assert kept == len(history) == EPOCHS
    same(copied(training.model), training.validated[EPOCHS])
    said = capsys.readouterr().err
    assert "kept the weights of the last epoch, 6: none was validated" in said


@pytest.mark.parametrize("keep", ["best", "last", "ema"])
def test_patience_ends_a_training_after_so_many_epochs_without_a_better_one(tmp_path, keep, capsys):
    average = 0.9 if keep == "ema" else None
    training = Training(tmp_path / "c", keep=keep, patience=3, ema_decay=average)
    history, kept = training.run()
    # Epoch 4 equals the best, the second: it is no better.
    assert len(history) == 5 and kept == (2 if keep == "best" else 5)
    same(copied(training.model), training.validated[kept])
    assert "ended after epoch 5, 3 after the best" in capsys.readouterr().err
    again = Training(tmp_path / "c", keep=keep, patience=3, ema_decay=average)
    assert again.run() == (history, kept)
    assert again.taken == 0 and not again.validated  # stopped is stopped
    same(copied(again.model), copied(training.model))


OPTIONS = [
    {"keep": "best"},
    {"keep": "best", "patience": 3},
    {"keep": "best", "patience": 3, "ema_decay": 0.9},
    {"keep": "ema", "ema_decay": 0.9},
    {"keep": "ema", "ema_decay": 0.9, "patience": 3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_killed_at_any_step_and_resumed_it_is_the_unbroken_one(tmp_path, options):
    whole = Training(tmp_path / "whole", **options)
    result = whole.run()
    assert len(result.history) == (5 if "patience" in options else EPOCHS)
    for step in range(whole.taken):
        path = tmp_path / str(step)
        with pytest.raises(Killed):
            Training(path, **options).run(kill_at=step)
        resumed = Training(path, **options)
        assert resumed.run() == result
        assert resumed.taken + step == whole.taken
        same(copied(resumed.model), copied(whole.model))


def test_the_best_weights_are_a_copy_in_the_checkpoint(tmp_path):
    training = Training(tmp_path / "c", keep="best")
    training.run()
    stored = load_state(tmp_path / "c/checkpoint.pt")["best"]
    assert (stored["epoch"], stored["score"]) == (2, 4.0)
    same(stored["weights"], training.validated[2])
    # Without weights to keep, none are stored; patience needs the score alone.
    Training(tmp_path / "d", patience=9).run()
    assert load_state(tmp_path / "d/checkpoint.pt")["best"]["weights"] == {}
    Training(tmp_path / "e").run()
    assert "best" not in load_state(tmp_path / "e/checkpoint.pt")


def test_offers_that_are_no_number_or_equal_change_nothing():
    best, model = BestEpoch(keeps_weights=True), nn.Linear(2, 1)
    best.offer(float("nan"), 1, model)
    assert best.epoch == 0
    best.offer(1.0, 2, model)
    kept = copied(model)
    nn.init.zeros_(model.weight)
    best.offer(1.0, 3, model)
    assert best.epoch == 2
    other = BestEpoch(keeps_weights=True)
    other.load_state_dict(best.state_dict())
    other.put_back(model)
    assert (other.epoch, other.score) == (2, 1.0)
    same(copied(model), kept)
