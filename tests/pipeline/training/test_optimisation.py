"""The schedule, what weight decay is on, and the moving average of the weights."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.tiny_training import network, settings_of
from torch import nn

from pipeline.training.optimisation import (
    Schedule,
    build_optimizer,
    moving_average,
    say_learning_rate,
    schedule_of,
)


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
