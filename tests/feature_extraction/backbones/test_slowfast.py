"""SlowFast: weights saved under the former name of its lateral connections load."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from feature_extraction.backbones import build_backbone
from feature_extraction.weights import load_public_checkpoint, weights_digest


def small(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_backbone("slowfast_8x8", depth=(1, 1), width=8, num_classes=3)


def formerly(state):
    # words: ok
    renamed = {key.replace("lateral.", "joints."): value for key, value in state.items()}
    assert renamed.keys() != state.keys()
    return renamed


@pytest.mark.parametrize("inside", [False, True])
def test_former_names_load(inside):
    one, other = small(1), small(2)
    wrap = (lambda network: nn.Sequential(network)) if inside else (lambda network: network)
    state = formerly(wrap(one).state_dict())
    kept = dict(state)
    wrap(other).load_state_dict(state)
    assert weights_digest(other) == weights_digest(one) and state.keys() == kept.keys()


def test_former_names_are_taken_as_initial_weights():
    one, other = small(1), small(2)
    report = load_public_checkpoint(other, formerly(one.state_dict()))
    assert not (report.unused or report.missing) and weights_digest(other) == weights_digest(one)
