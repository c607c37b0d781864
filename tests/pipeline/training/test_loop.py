"""The training loop: resumed equals unbroken, what stops it, and what it leaves."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from itertools import islice

import pytest
import torch
from helpers.tiny_training import Killed, TinyStage, batches_of, network, settings_of
from torch import nn

from feature_extraction.weights.loading import weights_digest
from pipeline.data.order import own_pieces
from pipeline.errors import UserError
from pipeline.processes.stopping import Interrupted
from pipeline.training.checkpoints import load_state, load_weights
from pipeline.training.loop import Fitted, fit, keep_result
from pipeline.training.task import Task

STEPS, EPOCHS = 5, 3
CPU = torch.device("cpu")
batches = batches_of(STEPS, EPOCHS, ("a", "b"))


def loss(model, batch, generator):
    noise = torch.rand(6, 1, generator=generator)
    return {"total": ((model(batch["x"]) - noise) ** 2).mean()}


def train(folder, loss=loss, batches=batches, validate=None, **keys):
    model = network()
    task = Task("training", batches, loss, STEPS, {"samples": "s"}, validate=validate)
    history, _ = fit(model, task, settings_of(EPOCHS, **keys), TinyStage(folder), CPU)
    return model, history


def stored(folder):
    return load_state(folder / "checkpoint.pt")


def killed_at(step):
    count = iter(range(1000))

    def inner(model, batch, generator):
        if next(count) == step:
            raise Killed
        return loss(model, batch, generator)

    return inner


def same(one, two):
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("step", [0, 1, 4, 5, 7, 14])
def test_killed_and_resumed_equals_unbroken(tmp_path, step):
    whole, history = train(tmp_path / "whole")
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        train(folder, killed_at(step), checkpoint_seconds=1e-9)
    resumed, resumed_history = train(folder)
    assert resumed_history == history
    same(whole, resumed)


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_writes_the_checkpoint_at_the_next_step(tmp_path, number):
    whole, _ = train(tmp_path / "whole")
    count = iter(range(1000))

    def interrupted(model, batch, generator):
        if next(count) == 6:
            os.kill(os.getpid(), number)
        return loss(model, batch, generator)

    folder = tmp_path / "c"
    with pytest.raises(Interrupted) as caught:
        train(folder, interrupted)
    assert caught.value.exit_code == 128 + number
    assert stored(folder)["epoch"] == 1 and stored(folder)["step"] == 2
    resumed, _ = train(folder)
    same(whole, resumed)


def test_what_a_checkpoint_is_of_is_noted_by_the_stage_and_the_task(tmp_path):
    stage, model, notes = TinyStage(tmp_path), network(), []
    task = Task(
        "t", batches, loss, STEPS, {}, on_checkpoint=lambda: notes.append(stage.checkpoint.exists())
    )
    fit(model, task, settings_of(EPOCHS, checkpoint_seconds=1e9), stage, CPU)
    assert stage.noted == [(5, 15), (10, 15), (15, 15)] and notes == [True] * 3


def test_averaged_weights_are_kept_resumed_and_left_in_the_model(tmp_path):
    whole, _ = train(tmp_path / "whole", ema_decay=0.9)
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        train(folder, killed_at(7), ema_decay=0.9, checkpoint_seconds=1e-9)
    resumed, _ = train(folder, ema_decay=0.9)
    plain, _ = train(tmp_path / "plain")
    same(whole, resumed)
    assert not torch.equal(whole[0].weight, plain[0].weight)
    last = stored(tmp_path / "whole")
    torch.testing.assert_close(last["model"]["0.weight"], plain[0].weight)


def test_the_moving_average_is_that_of_the_weights_after_each_step(tmp_path):
    """Spelled out from the weights that each step finds, which the one before left."""
    found = []

    def noting(model, batch, generator):
        found.append({name: p.detach().clone() for name, p in model.named_parameters()})
        return loss(model, batch, generator)

    plain, _ = train(tmp_path / "plain", noting)
    after = [*found[1:], dict(plain.named_parameters())]
    averaged, _ = train(tmp_path / "averaged", ema_decay=0.8)
    for name, value in averaged.named_parameters():
        expected = after[0][name]
        for weights in after[1:]:
            expected = 0.8 * expected + 0.2 * weights[name]
        torch.testing.assert_close(value, expected)


def test_a_batch_in_pieces_is_the_batch(tmp_path):
    def plain():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def squares(model, batch, generator):
        return {"total": (model(batch["x"]) ** 2).mean()}

    names = tuple("abcdef")
    results = []
    for pieces in (1, 2, 4):
        model, stage = plain(), TinyStage(tmp_path / str(pieces))
        named = batches_of(STEPS, EPOCHS, names, own_pieces(names, pieces)[1])
        task = Task("training", named, squares, STEPS, {})
        history, _ = fit(model, task, settings_of(EPOCHS, gradient_accumulation=pieces), stage, CPU)
        results.append((model.state_dict(), history))
    for state, history in results[1:]:
        assert history[-1]["total"] == pytest.approx(results[0][1][-1]["total"], rel=1e-4)
        for key, value in state.items():
            torch.testing.assert_close(value, results[0][0][key], rtol=1e-3, atol=1e-5)


def score(model):
    return {"score": float(sum(value.sum() for value in model.state_dict().values()))}


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_validation_that_is_not_finite_stops_and_no_step_is_lost(tmp_path, value):
    count = iter(range(10))

    def bad(model):
        return {"good": 1.0, "val_total": value if next(count) == 1 else 2.0}

    with pytest.raises(
        UserError, match=f"val_total of the validation is {value} after epoch 2"
    ) as caught:
        train(tmp_path, validate=bad)
    assert "\n" not in caught.value.message
    assert (stored(tmp_path)["epoch"], stored(tmp_path)["step"]) == (1, STEPS)


def test_killed_while_it_validates_no_step_is_lost(tmp_path):
    whole, history = train(tmp_path / "whole", validate=score)
    folder, count = tmp_path / "c", iter(range(10))

    def killed(model):
        if next(count) == 1:
            raise Killed
        return score(model)

    with pytest.raises(Killed):
        train(folder, validate=killed)
    assert (stored(folder)["epoch"], stored(folder)["step"]) == (1, STEPS)
    resumed, resumed_history = train(folder, validate=score)
    assert resumed_history == history
    same(whole, resumed)


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_breaks_off_a_validation_and_a_wait_for_a_batch(tmp_path, number):
    def endless(model):
        os.kill(os.getpid(), number)
        time.sleep(60)

    with pytest.raises(Interrupted) as caught:
        train(tmp_path / "a", validate=endless)
    assert caught.value.exit_code == 128 + number
    assert stored(tmp_path / "a")["step"] == STEPS

    def hanging(epoch, step):
        yield from islice(batches(epoch, step), 3)
        os.kill(os.getpid(), number)
        time.sleep(60)

    with pytest.raises(Interrupted):
        train(tmp_path / "b", batches=hanging)
    assert stored(tmp_path / "b")["step"] == 3
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


FITTED = Fitted([{"epoch": 1, "total": 2.0}, {"epoch": 2, "total": 3.0}], kept=1)


def test_a_result_is_the_weights_the_history_and_the_figures_of_the_epoch_that_is_kept(tmp_path):
    stage, model, other = TinyStage(tmp_path), network(), network()
    stage.checkpoint.touch()
    nn.init.ones_(model[0].weight)
    keep_result(stage, model, FITTED, {"left_out": ["v"]})
    load_weights(other, tmp_path / "model.pt")
    same(model, other)
    assert json.loads((tmp_path / "history.json").read_text()) == FITTED.history
    assert stage.summary == {"epoch": 1, "total": 2.0, "kept_epoch": 1, "left_out": ["v"]}
    assert stage.weights == weights_digest(model) != weights_digest(network())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.json", "model.pt"]


def test_the_checkpoint_goes_after_the_stage_is_finished(tmp_path):
    """Killed while it finishes, everything is still there to go on from."""
    stage = TinyStage(tmp_path)
    stage.checkpoint.touch()

    def killed(summary, *, weights):
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == ["checkpoint.pt", "history.json", "model.pt"]
        raise Killed

    stage.finish = killed
    with pytest.raises(Killed):
        keep_result(stage, network(), FITTED, {})
    assert stage.checkpoint.exists()
