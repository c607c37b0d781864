"""Activation checkpointing: the same step, averages of batch norm included."""

from __future__ import annotations

import pytest
import torch

from feature_extraction import build_backbone
from feature_extraction.backbones.activation_checkpointing import checkpoint_activations
from feature_extraction.backbones.blocks import Bottleneck


@pytest.mark.parametrize(
    "name", ["tsn", "tada2d", "slowonly_8x8", "slowfast_8x8_tada", "r2plus1d_tada_2d1d", "r3d_tada"]
)
def test_a_step_with_checkpointing_is_the_step(name):
    states, saved = [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = build_backbone(
            name, depth=(1, 2, 1, 1), width=8, num_classes=3, dropout=0.0
        ).train()
        if checkpointing:
            checkpoint_activations(m for m in model.modules() if isinstance(m, Bottleneck))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        kept = 0

        def note(tensor):
            nonlocal kept
            kept += tensor.numel()
            return tensor

        for step in range(2):
            video = torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
                loss = model(video).square().mean()
            loss.backward()
            optimizer.step()
        states.append(model.state_dict())
        saved.append(kept)
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, msg=key)
    assert saved[1] < 0.5 * saved[0]
