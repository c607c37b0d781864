"""One step: a batch in pieces is the batch, and what is not finite leaves the weights alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pipeline.data.order import own_pieces
from pipeline.errors import UserError
from pipeline.training.steps import Stepper, _joined, to_device

NAMES = list("abcdef")


def linear():
    torch.manual_seed(0)
    return nn.Linear(4, 1)


def batch(pieces=1):
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    return {"x": x, "names": NAMES, "pieces": own_pieces(NAMES, pieces)[1]}


def squares(model, batch, generator):
    return {"total": model(batch["x"]).square().mean(), "other": batch["x"].mean()}


def stepper_of(model, loss=squares, pieces=1, clip=None):
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Stepper(model, loss, optimizer, scaler, torch.Generator(), "float32", clip, pieces)


@pytest.mark.parametrize("pieces", [2, 3, 4, 6, 9])  # of six samples: unequal, and too many
def test_a_batch_in_pieces_is_the_batch(pieces):
    whole, parts = linear(), linear()
    terms = stepper_of(whole).take(batch(), 0, 0.1)
    assert stepper_of(parts, pieces=pieces).take(batch(pieces), 0, 0.1) == pytest.approx(terms)
    torch.testing.assert_close(parts.weight, whole.weight)
    torch.testing.assert_close(parts.bias, whole.bias)
    assert not torch.equal(whole.weight, linear().weight)


@pytest.mark.parametrize(
    "sizes, joined",
    [
        ([[2, 2, 1]], [[2], [2], [1]]),
        ([[2, 2], [2, 1]], [[2, 2], [2, 1]]),
        ([[2, 0, 1]], [[2], [1]]),  # the second could not be read
        ([[1, 1, 1], [0, 1, 1]], [[2, 1], [1, 1]]),
        ([[1, 1, 1], [1, 1, 0]], [[1, 1], [2, 1]]),
        ([[0, 1, 0], [1, 0, 0]], [[1, 1]]),
    ],
)
def test_every_process_has_something_of_every_piece(sizes, joined):
    assert _joined(sizes) == joined


def test_a_step_is_plain_gradient_descent_with_the_norm_of_its_gradient_limited():
    for clip in (None, 0.01):
        model, expected = linear(), linear()
        stepper_of(model, clip=clip).take(batch(), 0, 0.1)
        gradients = torch.autograd.grad(
            squares(expected, batch(), None)["total"], list(expected.parameters())
        )
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        scale = 1.0 if clip is None else clip / norm
        for ours, before, gradient in zip(
            model.parameters(), expected.parameters(), gradients, strict=True
        ):
            torch.testing.assert_close(ours, before - 0.1 * scale * gradient)


def test_a_loss_that_is_not_finite_stops_at_once():
    def bad(model, batch, generator):
        return {"total": squares(model, batch, generator)["total"] * math.nan}

    model = linear()
    message = (
        r"loss is nan at step 7, learning rate 0\.01, batch of a, b, c, d, e, f; lower base_lr"
    )
    with pytest.raises(UserError, match=message) as caught:
        stepper_of(model, bad).take(batch(), 7, 0.01)
    assert "\n" not in caught.value.message
    assert torch.equal(model.weight, linear().weight)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(clip):
    """The loss is 0, its gradient is not a number: the root of a square at 0."""

    def bad(model, batch, generator):
        return {"total": (model(batch["x"]).mean() * 0).square().sqrt()}

    model = linear()
    with pytest.raises(
        UserError, match=r"gradient is nan at step 0, learning rate 0\.01, batch of"
    ):
        stepper_of(model, bad, clip=clip).take(batch(), 0, 0.01)
    assert torch.equal(model.weight, linear().weight) and torch.equal(model.bias, linear().bias)


def test_many_samples_are_not_all_named():
    names = [f"v{number}" for number in range(20)]
    with pytest.raises(UserError, match="batch of v0, v1, v2, v3, v4, v5, v6, v7; lower"):
        stepper_of(linear(), lambda *_: {"total": torch.tensor(math.inf)}).take(
            {"x": torch.zeros(20, 4), "names": names}, 0, 0.1
        )


def test_tensors_go_to_the_device_and_the_rest_stays():
    moved = to_device(batch(), torch.device("meta"))
    assert moved["x"].device.type == "meta" and moved["names"] is NAMES
