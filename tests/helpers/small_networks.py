"""Networks small enough for tests, as they are built and as training leaves them."""

from __future__ import annotations

import torch
from torch import nn

from feature_extraction.backbones import build_backbone

SMALL = {"depth": (1, 2, 1, 1), "width": 8, "dropout": 0.0, "num_classes": 3}


def small(name: str, **options) -> nn.Module:
    torch.manual_seed(0)
    return build_backbone(name, **{**SMALL, **options})


def trained(name: str, **options) -> nn.Module:
    """A network with every weight and statistic away from its start, kept in range; in eval mode."""
    model = small(name, **options)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.weight, -0.5, 1.0)
            nn.init.normal_(module.bias, std=0.2)
            module.momentum = 1.0
        elif isinstance(module, nn.Conv1d):
            nn.init.normal_(module.weight, std=0.05)
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 5, 64, 64))
    return model.eval()
