"""The folded copy computes what the trained network computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from feature_extraction.backbones import build_backbone, fold_for_inference
from feature_extraction.weights import weights_digest


def trained(name: str, **options) -> nn.Module:
    """A network with every weight and statistic away from its start, kept in range."""
    torch.manual_seed(0)
    model = build_backbone(name, depth=(2, 1, 1, 2), width=8, num_classes=(4, 6), **options)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.weight, -0.5, 1.0)
            nn.init.normal_(module.bias, std=0.2)
            module.momentum = 1.0
        elif isinstance(module, nn.Conv1d):
            nn.init.normal_(module.weight, std=0.05)
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 5, 64, 64))
    return model


@pytest.mark.parametrize(
    ("name", "options"),
    [("tsn", {}), ("tada2d", {}), ("tada2d", {"pool_kernel": 5}), ("tada2d", {"pool_kernel": 1})],
)
@pytest.mark.parametrize("length", [1, 2, 8])
def test_folding_changes_nothing(name, options, length):
    model = trained(name, **options)
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
    folded = fold_for_inference(trained("tada2d"))
    assert not folded.training and not any(p.requires_grad for p in folded.parameters())
    assert not any(
        isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in folded.modules()
    )
    with torch.inference_mode():
        half = folded.to(torch.bfloat16).features(torch.randn(1, 3, 4, 32, 32).bfloat16())
    assert half.dtype == torch.bfloat16 and half.isfinite().all()
