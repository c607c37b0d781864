"""The folded copy computes what the trained network computes."""

from __future__ import annotations

import pytest
import torch
from helpers.small_networks import trained
from torch import nn

from feature_extraction.backbones import fold_for_inference
from feature_extraction.weights import weights_digest


def in_training(name: str, **options) -> nn.Module:
    """As training leaves it, with other depths, two heads and dropout."""
    return trained(name, depth=(2, 1, 1, 2), num_classes=(4, 6), dropout=0.5, **options).train()


@pytest.mark.parametrize(
    ("name", "options"),
    [("tsn", {}), ("tada2d", {}), ("tada2d", {"pool_kernel": 5}), ("tada2d", {"pool_kernel": 1})],
)
@pytest.mark.parametrize("length", [1, 2, 8])
def test_folding_changes_nothing(name, options, length):
    model = in_training(name, **options)
    digest = weights_digest(model)
    folded = fold_for_inference(model)
    assert model.training and weights_digest(model) == digest
    model.eval()
    video = torch.randn(2, 3, length, 40, 56)
    given = video.clone()
    with torch.inference_mode():
        features, plain = folded.features(video), model.features(video)
        assert (features - plain).abs().max() < 1e-5 * plain.abs().max()
        for one, other in zip(folded(video), model(video), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert torch.equal(video, given) and folded.feature_dim == model.feature_dim


def test_the_folded_copy_is_for_inference():
    folded = fold_for_inference(in_training("tada2d"))
    assert not folded.training and not any(p.requires_grad for p in folded.parameters())
    assert not any(
        isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in folded.modules()
    )
    with torch.inference_mode():
        half = folded.to(torch.bfloat16).features(torch.randn(1, 3, 4, 32, 32).bfloat16())
    assert half.dtype == torch.bfloat16 and half.isfinite().all()
