"""The schedule, what weight decay is on, and the moving average of the weights."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.tiny_training import network, settings_of
from torch import nn

from pipeline.training.optimisation import (
    USUAL,
    Recipe,
    Schedule,
    build_optimizer,
    moving_average,
    rate_of_step,
    say_learning_rate,
    schedule_of,
)
from pipeline.training.steps import Stepper


def test_schedule_is_a_half_cosine_after_a_linear_warm_up():
    schedule = Schedule(0.48, 50, 10, 0.01)
    assert schedule.at(0) == 0.01
    assert schedule.at(25) == pytest.approx(0.24)
    assert schedule.at(50) == pytest.approx(0, abs=1e-12)
    assert schedule.at(5) == pytest.approx((0.01 + schedule.at(10)) / 2)
    assert schedule.at(10) == pytest.approx(0.24 * (1 + math.cos(math.pi * 0.2)))


def test_rates_scale_with_the_batch_and_it_is_said(capsys):
    plain = settings_of(10, batch_size=4)
    scaled = settings_of(10, batch_size=4, base_batch=16)
    for epoch in (0.0, 0.5, 1.0, 7.0):
        assert schedule_of(scaled).at(epoch) == pytest.approx(schedule_of(plain).at(epoch) / 4)
    say_learning_rate("bmn", plain)
    assert capsys.readouterr().err == ""
    say_learning_rate("bmn", scaled)
    assert capsys.readouterr().err == "bmn: learning rate 0.0125 = 0.05 x batch 4 / 16\n"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)],
)
def test_no_weight_decay_on_biases_and_normalisation(name, kind):
    optimizer = build_optimizer(network(), settings_of(1, optimizer=name, warmup_epochs=0))
    assert type(optimizer) is kind
    decayed, plain = optimizer.param_groups
    assert all(p.ndim > 1 for p in decayed["params"]) and decayed["weight_decay"] == 0.1
    assert all(p.ndim == 1 for p in plain["params"]) and plain["weight_decay"] == 0
    assert len(decayed["params"]) + len(plain["params"]) == 6
    assert name != "sgd" or (decayed["momentum"] == 0.9 and decayed["nesterov"])


def test_the_moving_average_is_the_one_by_hand():
    model = nn.BatchNorm1d(1)
    average = moving_average(model, 0.75)
    weight = mean = None
    for value in (1.0, 5.0, -3.0, 2.0):
        with torch.no_grad():
            model.weight.fill_(value)
            model.running_mean.fill_(10 * value)
        average.update_parameters(model)
        weight = value if weight is None else 0.75 * weight + 0.25 * value
        mean = 10 * value if mean is None else 0.75 * mean + 2.5 * value
        assert average.module.weight.item() == pytest.approx(weight)
        assert average.module.running_mean.item() == pytest.approx(mean)


def test_a_recipe_says_what_decays_at_which_rate_and_where_the_average_begins():
    settings = settings_of(2, optimizer="adamw", weight_decay=0.3)
    recipe = Recipe(decays=lambda name, weights: name.endswith("bias"), rate=lambda step: step + 1)
    model = network()
    groups = build_optimizer(model, settings, recipe).param_groups
    biases = {id(p) for name, p in model.named_parameters() if name.endswith("bias")}
    assert {id(p) for p in groups[0]["params"]} == biases and groups[0]["weight_decay"] == 0.3
    assert len(groups[1]["params"]) == 3 and groups[1]["weight_decay"] == 0
    rate = rate_of_step(settings, recipe, 5)
    assert [rate(step) for step in range(3)] == [1, 2, 3]
    usual = rate_of_step(settings, USUAL, 5)
    assert [usual(n) for n in (0, 3, 7)] == [schedule_of(settings).at(n) for n in (0, 0.6, 1.4)]
    before = [p.clone() for p in model.parameters()]
    for from_start, kept in ((True, 0.75), (False, 0)):
        average = moving_average(model, 0.75, from_start=from_start)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(1)
        average.update_parameters(model)
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(1)
        for p, old in zip(average.module.parameters(), before, strict=True):
            torch.testing.assert_close(p, old + 1 - kept)


def test_parts_of_a_network_have_a_limit_of_the_gradient_each():
    model = nn.ModuleList([nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)])
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 4.0]]))
        model[1].weight.copy_(torch.tensor([[0.03, 0.04]]))

    def loss(model, batch, generator):
        return {"total": sum(part.weight.square().sum() / 2 for part in model)}

    for clipped, second in (((), 0.01), (list(model), 1.0)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        stepper = Stepper(
            model, loss, optimizer, torch.amp.GradScaler("cpu", enabled=False), torch.Generator(),
            "float32", 0.04, 1, clipped,
        )  # fmt: skip
        stepper.take({"names": []}, 0, 0.0)
        norms = [float(part.weight.grad.norm()) for part in model]
        assert norms == pytest.approx([0.04, 0.04 * second], rel=1e-3)
