"""The training loop: resumed equals unbroken, the schedule, and what stops it."""

from __future__ import annotations

import math
import os
import signal
import time
from itertools import islice

import pytest
import torch
from helpers.tiny_training import Killed, batches_of, network
from torch import nn

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.order import epoch_order
from pipeline.errors import UserError
from pipeline.processes.device import load_state, pick_device
from pipeline.processes.stopping import Interrupted
from pipeline.seeds import step_seed
from pipeline.training.loop import fit
from pipeline.training.optimisation import Schedule, build_optimizer

SETTINGS = load_config(find_config("ek100"), {"bmn.weight_decay": 0.1}).bmn
STEPS, EPOCHS = 5, 3
batches = batches_of(STEPS, EPOCHS, ("a", "b"))


def loss(model, batch, generator):
    noise = torch.rand(6, 1, generator=generator)
    return {"total": ((model(batch["x"]) - noise) ** 2).mean()}


def train(path, loss=loss, batches=batches, **options):
    model = network()
    history, _ = fit(
        model,
        batches,
        loss,
        optimizer=build_optimizer(model, SETTINGS),
        schedule=Schedule(0.05, EPOCHS, 1, 0.01),
        steps=STEPS,
        seed=3,
        device=torch.device("cpu"),
        checkpoint=path,
        fingerprint="f",
        **options,
    )
    return model, history


def killed_at(step):
    count = iter(range(1000))

    def inner(model, batch, generator):
        if next(count) == step:
            raise Killed
        return loss(model, batch, generator)

    return inner


@pytest.mark.parametrize("step", [0, 1, 4, 5, 7, 14])
def test_killed_and_resumed_equals_unbroken(tmp_path, step):
    whole, history = train(tmp_path / "whole.pt")
    path = tmp_path / "killed.pt"
    with pytest.raises(Killed):
        train(path, killed_at(step), checkpoint_seconds=1e-9)
    resumed, resumed_history = train(path)
    assert resumed_history == history
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_writes_the_checkpoint_at_the_next_step(tmp_path, number):
    whole, _ = train(tmp_path / "whole.pt")
    count = iter(range(1000))

    def interrupted(model, batch, generator):
        if next(count) == 6:
            os.kill(os.getpid(), number)
        return loss(model, batch, generator)

    path = tmp_path / "c.pt"
    with pytest.raises(Interrupted) as caught:
        train(path, interrupted)
    assert caught.value.exit_code == 128 + number
    assert load_state(path)["epoch"] == 1 and load_state(path)["step"] == 2
    resumed, _ = train(path)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_loss_that_is_not_finite_stops_at_once(tmp_path):
    def bad(model, batch, generator):
        return {"total": loss(model, batch, generator)["total"] * math.nan}

    with pytest.raises(UserError, match="step 0, learning rate 0.01, batch of a, b"):
        train(tmp_path / "c.pt", bad)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    train(path)
    content = torch.load(path, weights_only=True) | {"fingerprint": "other"}
    torch.save(content, path)
    with pytest.raises(UserError, match="other settings"):
        train(path)


def test_a_checkpoint_beyond_the_steps_of_an_epoch_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    train(path)
    content = torch.load(path, weights_only=True) | {"epoch": 1, "step": STEPS + 1}
    torch.save(content, path)
    with pytest.raises(UserError, match="other settings or samples") as caught:
        train(path)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("content", [b"", b"text", b"\x80\x04K\x01.", b"PK\x03\x04 broken"])
def test_a_damaged_checkpoint_is_one_line(tmp_path, content):
    path = tmp_path / "c.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="c.pt"):
        train(path)


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "c.pt"
    torch.save({"model": Code()}, path)
    with pytest.raises(UserError, match="not a usable checkpoint"):
        load_state(path)
    assert not (tmp_path / "ran").exists()


def test_schedule_is_a_half_cosine_after_a_linear_warm_up():
    schedule = Schedule(0.48, 50, 10, 0.01)
    assert schedule.at(0) == 0.01
    assert schedule.at(25) == pytest.approx(0.24)
    assert schedule.at(50) == pytest.approx(0, abs=1e-12)
    assert schedule.at(5) == pytest.approx((0.01 + schedule.at(10)) / 2)
    assert schedule.at(10) == pytest.approx(0.24 * (1 + math.cos(math.pi * 0.2)))


def test_no_weight_decay_on_biases_and_normalisation():
    decayed, plain = build_optimizer(network(), SETTINGS).param_groups
    assert all(p.ndim > 1 for p in decayed["params"]) and decayed["weight_decay"] == 0.1
    assert all(p.ndim == 1 for p in plain["params"]) and plain["weight_decay"] == 0
    assert len(decayed["params"]) + len(plain["params"]) == 6


def test_epochs_are_shuffled_differently_and_completely():
    first, second = (epoch_order(10, 4, 0, epoch) for epoch in (0, 1))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(10))
    assert first != second and first == epoch_order(10, 4, 0, 0)
    assert len({step_seed(s, e, i) for s in range(5) for e in range(5) for i in range(40)}) == 1000


def test_an_unknown_device_is_one_line():
    for name in ("cuda:99", "gpu", "meta:x"):
        with pytest.raises(UserError, match="runtime.device"):
            pick_device(name)
    assert pick_device("cpu").type == "cpu"


def test_a_batch_in_pieces_is_the_batch(tmp_path):
    def plain():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def squares(model, batch, generator):
        return {"total": (model(batch["x"]) ** 2).mean()}

    def named(epoch, step):
        for batch in batches(epoch, step):
            yield {**batch, "names": list("abcdef")}

    results = []
    for pieces in (1, 2, 4):
        model = plain()
        history, _ = fit(
            model,
            named,
            squares,
            optimizer=build_optimizer(model, SETTINGS),
            schedule=Schedule(0.05, EPOCHS, 1, 0.01),
            steps=STEPS,
            seed=3,
            device=torch.device("cpu"),
            checkpoint=tmp_path / f"{pieces}.pt",
            fingerprint="f",
            accumulate=pieces,
        )
        results.append((model.state_dict(), history))
    for state, history in results[1:]:
        assert history[-1]["total"] == pytest.approx(results[0][1][-1]["total"], rel=1e-4)
        for key, value in state.items():
            torch.testing.assert_close(value, results[0][0][key], rtol=1e-3, atol=1e-5)


def test_averaged_weights_are_kept_resumed_and_left_in_the_model(tmp_path):
    whole, _ = train(tmp_path / "whole.pt", average=0.9)
    path = tmp_path / "killed.pt"
    with pytest.raises(Killed):
        train(path, killed_at(7), average=0.9, checkpoint_seconds=1e-9)
    resumed, _ = train(path, average=0.9)
    plain, _ = train(tmp_path / "plain.pt")
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)
    assert not torch.equal(whole[0].weight, plain[0].weight)
    last = load_state(tmp_path / "whole.pt")
    torch.testing.assert_close(last["model"]["0.weight"], plain[0].weight)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(tmp_path, clip):
    """The loss is 0, its gradient is not a number: the root of a square at 0."""
    seen = {}

    def bad(model, batch, generator):
        seen["model"] = model
        return {"total": (model(batch["x"]).mean() * 0).square().sqrt()}

    with pytest.raises(
        UserError, match="gradient is nan at step 0, learning rate 0.01, batch of a, b"
    ):
        train(tmp_path / "c.pt", bad, grad_clip=clip)
    before = dict(network().named_parameters())
    assert all(torch.equal(value, before[name]) for name, value in seen["model"].named_parameters())


def score(model):
    return {"score": float(sum(value.sum() for value in model.state_dict().values()))}


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_validation_that_is_not_finite_stops_and_no_step_is_lost(tmp_path, value):
    count = iter(range(10))

    def bad(model):
        return {"good": 1.0, "val_total": value if next(count) == 1 else 2.0}

    path = tmp_path / "c.pt"
    with pytest.raises(
        UserError, match=f"val_total of the validation is {value} after epoch 2"
    ) as caught:
        train(path, validate=bad)
    assert "\n" not in caught.value.message
    assert (load_state(path)["epoch"], load_state(path)["step"]) == (1, STEPS)


def test_killed_while_it_validates_no_step_is_lost(tmp_path):
    whole, history = train(tmp_path / "whole.pt", validate=score)
    path, count = tmp_path / "c.pt", iter(range(10))

    def killed(model):
        if next(count) == 1:
            raise Killed
        return score(model)

    with pytest.raises(Killed):
        train(path, validate=killed)
    assert (load_state(path)["epoch"], load_state(path)["step"]) == (1, STEPS)
    resumed, resumed_history = train(path, validate=score)
    assert resumed_history == history
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_breaks_off_a_validation_and_a_wait_for_a_batch(tmp_path, number):
    def endless(model):
        os.kill(os.getpid(), number)
        time.sleep(60)

    with pytest.raises(Interrupted) as caught:
        train(tmp_path / "a.pt", validate=endless)
    assert caught.value.exit_code == 128 + number
    assert load_state(tmp_path / "a.pt")["step"] == STEPS

    def hanging(epoch, step):
        yield from islice(batches(epoch, step), 3)
        os.kill(os.getpid(), number)
        time.sleep(60)

    with pytest.raises(Interrupted):
        train(tmp_path / "b.pt", batches=hanging)
    assert load_state(tmp_path / "b.pt")["step"] == 3
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    "change", [{"model": {}}, {"optimizer": 3}, {"epoch": None}, {"sums": None}]
)
def test_a_checkpoint_of_another_form_is_one_line(tmp_path, change):
    path = tmp_path / "c.pt"
    train(path)
    content = torch.load(path, weights_only=True) | change
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    with pytest.raises(UserError, match="not a checkpoint of this training") as caught:
        train(path)
    assert "\n" not in caught.value.message
