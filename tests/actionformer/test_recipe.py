"""Weight decay, learning rates and the moving average against the public implementation's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from actionformer.recipe import decays, learning_rate, update_average


def test_the_parameters_that_decay_are_the_public_ones(reference):
    vectors = reference("actionformer_train.npz")
    assert all(decays(name) for name in vectors["optimizer/decay"].tolist())
    assert not any(decays(name) for name in vectors["optimizer/no_decay"].tolist())


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_rate_of_every_iteration_is_the_public_one(reference, name):
    vectors = reference("actionformer_train.npz")
    rate, warmup, epochs, each = vectors[f"lr/{name}/config"].tolist()
    steps, first = round((warmup + epochs) * each), round(warmup * each)
    made = [learning_rate(step, rate, warmup=first, iterations=steps) for step in range(steps)]
    assert np.allclose(made, vectors[f"lr/{name}/values"], rtol=1e-12)


def test_short_warm_ups():
    assert [learning_rate(step, 1.0, warmup=1, iterations=3) for step in (0, 1)] == [0.0, 1.0]
    assert learning_rate(0, 1.0, warmup=0, iterations=2) == 1.0
    assert learning_rate(5, 1.0, warmup=6, iterations=6) == 1.0


def test_the_average_moves_a_little():
    average, model = nn.Linear(2, 2), nn.Linear(2, 2)
    before = average.weight.detach().clone()
    update_average(average, model, 0.9)
    assert torch.allclose(average.weight, 0.9 * before + 0.1 * model.weight)
    assert average.weight.requires_grad and average.weight.grad_fn is None
