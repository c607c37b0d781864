"""The three losses against the public implementation's values."""

from __future__ import annotations

import pytest
import torch

from bmn import BMNOutput, bmn_loss
from bmn.losses import balanced_cross_entropy, regression_cells
from bmn.targets import Targets


@pytest.fixture
def batch(reference):
    vectors = {key: torch.from_numpy(value) for key, value in reference("bmn_losses.npz").items()}
    output = BMNOutput(vectors["confidence_map"], vectors["start"], vectors["end"])
    targets = Targets(vectors["gt_start"], vectors["gt_end"], vectors["gt_iou"])
    return vectors, output, targets


def test_losses_equal_the_public_ones(batch):
    vectors, output, targets = batch
    fields = (vectors["uniform_middle"], vectors["uniform_low"])
    loss = bmn_loss(output, targets, vectors["mask"], uniforms=fields)
    for name in ("tem", "pem_reg", "pem_cls"):
        assert getattr(loss, name).item() == pytest.approx(vectors[name].item(), rel=1e-6)
    expected = vectors["tem"] + 10 * vectors["pem_reg"] + vectors["pem_cls"]
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_weights_and_half_precision_outputs(batch):
    vectors, output, targets = batch
    fields = (vectors["uniform_middle"], vectors["uniform_low"])
    loss = bmn_loss(output, targets, vectors["mask"], uniforms=fields, weights=(0.0, 0.0, 2.0))
    assert loss.total.item() == pytest.approx(2 * loss.pem_cls.item())
    rough = BMNOutput(*(part.bfloat16() for part in output))
    rough_loss = bmn_loss(rough, targets, vectors["mask"], uniforms=fields)
    assert rough_loss.total.dtype == torch.float32
    assert rough_loss.tem.item() == pytest.approx(loss.tem.item(), rel=1e-2)


def test_generator_makes_the_loss_repeatable(batch):
    vectors, output, targets = batch
    draws = [
        bmn_loss(output, targets, vectors["mask"], generator=torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    ]
    assert torch.equal(draws[0].pem_reg, draws[1].pem_reg)
    assert not torch.equal(draws[0].pem_reg, draws[2].pem_reg)


def test_regression_takes_as_many_middle_and_low_cells_as_high_ones():
    generator = torch.Generator().manual_seed(0)
    iou = torch.rand(4, 100, 100, generator=generator) ** 2
    fields = torch.rand(2, 4, 100, 100, generator=generator)
    taken = regression_cells(iou, *fields)
    high, middle, low = iou > 0.7, (iou > 0.3) & (iou <= 0.7), (iou > 0) & (iou <= 0.3)
    assert taken[high].all() and not taken[iou == 0].any()
    for cells in (middle, low):
        assert (taken & cells).sum().item() == pytest.approx(high.sum().item(), rel=0.05)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_one_sided_batches_are_finite_with_gradients(level):
    parts = [torch.rand(2, 2, 4, 6), torch.rand(2, 6), torch.rand(2, 6)]
    output = BMNOutput(*(part.requires_grad_() for part in parts))
    targets = Targets(*(torch.full(shape, level) for shape in ((2, 6), (2, 6), (2, 4, 6))))
    loss = bmn_loss(output, targets, torch.ones(4, 6))
    loss.total.backward()
    assert all(value.isfinite() for value in loss)
    assert all(part.grad.isfinite().all() for part in output)
    if level < 0.7:
        assert loss.pem_reg == 0  # no cell of high tIoU, so none is balanced against it


def test_masked_cells_do_not_count():
    probability = torch.tensor([0.2, 0.9, 0.4, 0.7])
    positive = torch.tensor([False, True, True, False])
    mask = torch.tensor([1.0, 1.0, 0.0, 0.0])
    masked = balanced_cross_entropy(probability, positive, mask)
    assert torch.allclose(masked, balanced_cross_entropy(probability[:2], positive[:2]))


def test_certain_and_wrong_is_finite():
    loss = balanced_cross_entropy(torch.tensor([0.0, 1.0]), torch.tensor([True, False]))
    assert loss.isfinite()
