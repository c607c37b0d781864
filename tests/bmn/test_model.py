"""The network against the public implementation's outputs."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from bmn import BMN, BMNError, load_public_checkpoint
from bmn.targets import valid_mask


@pytest.fixture
def public(reference):
    vectors = reference("bmn.npz")
    state = {
        key.removeprefix("state/"): torch.from_numpy(value)
        for key, value in vectors.items()
        if key.startswith("state/")
    }
    return state, vectors


def small() -> BMN:
    return BMN(24, 40, 20, hidden_1d=16, hidden_2d=12, hidden_3d=20)


def relative(ours, theirs):
    return np.abs(ours.detach().numpy() - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("load", [load_public_checkpoint, BMN.load_state_dict])
def test_outputs_equal_the_public_ones(public, load):
    state, vectors = public
    model = small()
    load(model, state)
    output = model(torch.from_numpy(vectors["input"]))
    assert relative(output.start, vectors["start"]) < 1e-6
    assert relative(output.end, vectors["end"]) < 1e-6
    # Invalid cells too: they hold what zero features give.
    assert relative(output.confidence_map, vectors["confidence_map"]) < 1e-6


def test_batched_equals_single(public):
    model = small().eval()
    features = torch.from_numpy(public[1]["input"])
    batched = model(features)
    for row in range(len(features)):
        for mine, whole in zip(model(features[row : row + 1]), batched, strict=True):
            assert torch.allclose(mine[0], whole[row], atol=1e-6)


def test_an_empty_batch_gives_empty_outputs():
    output = small()(torch.zeros(0, 24, 40))
    assert [tuple(part.shape) for part in output] == [(0, 2, 20, 40), (0, 40), (0, 40)]


def test_every_parameter_is_trained():
    model = small()
    output = model(torch.randn(2, 24, 40))
    inside = output.confidence_map * valid_mask(20, 40)
    (inside.sum() + output.start.sum() + output.end.sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_own_state_round_trip_and_copy():
    model, other = small(), small()
    other.load_state_dict(model.state_dict())
    features = torch.randn(1, 24, 40)
    for mine, theirs in zip(model(features), copy.deepcopy(other)(features), strict=True):
        assert torch.equal(mine, theirs)


def test_runs_under_bf16_autocast():
    model, features = small(), torch.randn(2, 24, 40)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(features)
    for mine, exact in zip(rough, model(features), strict=True):
        assert (mine - exact).abs().max() < 0.03


def test_bad_checkpoints_are_refused_and_change_nothing(public):
    state, _ = public
    model = small()
    before = copy.deepcopy(model.state_dict())
    missing = {key: value for key, value in state.items() if key != "head.x_2d_p.6.bias"}
    with pytest.raises(BMNError, match="head.x_2d_p.6.bias"):
        load_public_checkpoint(model, missing)
    with pytest.raises(BMNError, match="head.extra"):
        load_public_checkpoint(model, {**state, "head.extra": torch.zeros(1)})
    with pytest.raises(BMNError, match="matching.weight"):
        wider = BMN(24, 40, 20, hidden_1d=16, hidden_2d=12, hidden_3d=24)
        load_public_checkpoint(wider, state)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_groups_must_divide():
    with pytest.raises(BMNError, match="groups 4"):
        BMN(10, 8, 8)
