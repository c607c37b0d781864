"""Focal and DIoU losses and the loss of a batch against the public implementation's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from actionformer import ActionFormerError, Targets, actionformer_loss
from actionformer.losses import diou_loss, focal_loss
from actionformer.network import Level

LOSSES = {
    "diou": (diou_loss, "pred"),
    "focal": (focal_loss, "logits"),
    "focal_smoothed": (focal_loss, "logits"),
}


def relative(ours, theirs):
    return np.abs(np.asarray(ours, float) - theirs).max() / max(np.abs(theirs).max(), 1e-30)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-6), (torch.float64, 1e-9)])
def test_losses_and_gradients_are_the_public_ones(reference, name, dtype, limit):
    vectors = reference("actionformer_ops.npz")
    loss, key = LOSSES[name]
    given = torch.from_numpy(vectors[f"{name}/{key}"]).to(dtype).requires_grad_()
    value = loss(given, torch.from_numpy(vectors[f"{name}/target"]).to(dtype))
    value.sum().backward()
    assert value.dtype == dtype
    assert relative(value.detach(), vectors[f"{name}/loss"]) < limit
    assert relative(value.sum().item(), vectors[f"{name}/sum"]) < limit
    assert relative(given.grad, vectors[f"{name}/grad"]) < 10 * limit


def batch(dtype=torch.float32, seed=0, positives=6):
    """Two levels of 8 and 4 points, two videos; the second is half padding."""
    generator = torch.Generator().manual_seed(seed)
    levels = []
    for length in (8, 4):
        logits = torch.randn(2, length, 3, generator=generator, dtype=dtype)
        offsets = torch.rand(2, length, 2, generator=generator, dtype=dtype) * 3
        mask = torch.ones(2, length, dtype=torch.bool)
        mask[1, length // 2 :] = False
        levels.append(Level(logits.requires_grad_(), offsets.requires_grad_(), mask))
    positive = torch.zeros(2, 12, dtype=torch.bool)
    positive[:, :positives] = True
    classes = torch.zeros(2, 12, 3)
    classes[..., 1] = positive.float()
    return levels, Targets(classes, torch.full((2, 12, 2), 1.25), positive)


def test_what_is_padded_does_not_count():
    levels, targets = batch()
    loss = actionformer_loss(levels, targets, 100.0)
    for level in levels:
        level.logits.data[~level.mask] = 7.0
        level.offsets.data[~level.mask] = 50.0
    assert torch.equal(torch.stack(actionformer_loss(levels, targets, 100.0)), torch.stack(loss))
    assert loss.normalizer.item() == pytest.approx(0.9 * 100 + 0.1 * (6 + 4))


def test_terms_weights_and_the_normalizer():
    levels, targets = batch(torch.float64)
    first = actionformer_loss(levels, targets, 20.0, regression_weight=2.0)
    assert first.total.item() == pytest.approx((first.classification + 2 * first.regression).item())
    second = actionformer_loss(levels, targets, first.normalizer)
    assert second.normalizer.item() == pytest.approx(0.9 * first.normalizer.item() + 1.0)
    ratio = (first.normalizer / second.normalizer).item()
    assert second.classification.item() == pytest.approx(first.classification.item() * ratio)
    shared = actionformer_loss(levels, targets, 20.0, positives=torch.tensor(50))
    assert shared.normalizer.item() == pytest.approx(18 + 5)


def test_smoothing_moves_every_class():
    levels, targets = batch(torch.float64)
    smooth = actionformer_loss(levels, targets, 20.0, smoothing=0.1)
    moved = targets._replace(classes=targets.classes.double() * 0.9 + 0.1 / 4)
    plain = actionformer_loss(levels, moved, 20.0)
    assert smooth.classification.item() == pytest.approx(plain.classification.item(), rel=1e-12)


@pytest.mark.parametrize("offsets", [0.0, 1e4, -3.0, float("inf"), float("nan")])
def test_without_segments_the_loss_and_its_gradients_are_finite(offsets):
    levels, targets = batch(positives=0)
    loss = actionformer_loss(levels, targets._replace(offsets=targets.offsets + offsets), 100.0)
    loss.total.backward()
    assert loss.regression.item() == 0 and loss.normalizer.item() == pytest.approx(90.1)
    assert all(level.offsets.grad.abs().max() == 0 for level in levels)
    assert all(level.logits.grad.isfinite().all() for level in levels)


def test_zero_lengths_have_finite_gradients():
    levels, targets = batch()
    levels[0].offsets.data.zero_()
    loss = actionformer_loss(levels, targets._replace(offsets=targets.offsets * 0), 100.0)
    loss.total.backward()
    assert all(level.offsets.grad.isfinite().all() for level in levels)


def test_half_precision_outputs_give_a_float32_loss():
    levels, targets = batch()
    whole = actionformer_loss(levels, targets, 100.0)
    rough = [Level(one.logits.bfloat16(), one.offsets.bfloat16(), one.mask) for one in levels]
    with torch.autocast("cpu", torch.bfloat16):
        loss = actionformer_loss(rough, targets, 100.0)
    assert {part.dtype for part in loss} == {torch.float32}
    assert loss.total.item() == pytest.approx(whole.total.item(), rel=1e-2)
    double = [Level(one.logits.double(), one.offsets.double(), one.mask) for one in levels]
    assert actionformer_loss(double, targets, 100.0).total.dtype == torch.float64


def test_targets_of_another_length_are_refused():
    levels, targets = batch()
    with pytest.raises(ActionFormerError, match=r"\(2, 11, 3\) and logits \(2, 12, 3\)"):
        actionformer_loss(levels, targets._replace(classes=targets.classes[:, :11]), 100.0)
