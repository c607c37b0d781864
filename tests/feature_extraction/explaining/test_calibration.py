"""Calibration weights read from a network: those that its layers use."""

from __future__ import annotations

import pytest
import torch
from helpers.small_networks import small, trained
from torch import nn

from feature_extraction.explaining import by_stage, calibration_weights
from feature_extraction.tadaconv import insert_tadaconv
from feature_extraction.tadaconv.modules import CalibratedConv


def clips() -> torch.Tensor:
    return torch.randn(2, 3, 8, 48, 48, generator=torch.Generator().manual_seed(3))


def test_they_are_the_ones_the_layers_multiply_by(monkeypatch):
    network, used = trained("tada2d"), []
    whole = CalibratedConv.generate

    def generate(self, frames, length):
        used.append(whole(self, frames, length))
        return used[-1]

    monkeypatch.setattr(CalibratedConv, "generate", generate)
    weights = calibration_weights(network, clips())
    assert len(weights) == len(used) == 5
    for found, expected in zip(weights.values(), used, strict=True):
        torch.testing.assert_close(found, expected)
        assert found.shape[0] == 2 and found.shape[2] == 8 and not found.requires_grad


def test_mean_and_spread_are_over_all_channels_of_a_stage():
    weights = calibration_weights(trained("tada2d"), clips())
    stages = by_stage(weights)
    assert list(stages) == ["res2", "res3", "res4", "res5"]
    assert [stage.layers for stage in stages.values()] == [1, 2, 1, 1]
    res3 = torch.cat([alpha for name, alpha in weights.items() if name.startswith("stages.1.")], 1)
    torch.testing.assert_close(stages["res3"].mean, res3.sum(1) / res3.shape[1])
    spread = ((res3 - res3.mean(1, keepdim=True)) ** 2).mean(1).sqrt()
    torch.testing.assert_close(stages["res3"].std, spread)


def test_at_the_start_of_a_training_they_are_one():
    for stage in by_stage(calibration_weights(small("tada2d").eval(), clips())).values():
        assert (stage.mean == 1).all() and (stage.std == 0).all()


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("tsn", []),
        ("r3d", []),
        ("r3d_tada", ["res2", "res3", "res4", "res5"]),
        ("r2plus1d_tada_2d1d", ["res2", "res3", "res4", "res5"]),
        ("slowonly_8x8_tada", ["res2", "res3", "res4", "res5"]),
        (
            "slowfast_8x8_tada",
            [f"{way} res{number}" for way in ("slow", "fast") for number in range(2, 6)],
        ),
    ],
)
def test_stages_of_every_kind_of_network(name, stages):
    found = by_stage(calibration_weights(trained(name), clips()))
    assert list(found) == stages
    for stage, values in found.items():
        frames = 2 if stage.startswith("slow") else 8
        assert values.mean.shape == values.std.shape == (2, frames)


def test_channels_that_are_left_alone_do_not_count():
    network = trained("tada2d", proportion=0.5)
    weights = calibration_weights(network, clips())
    assert [alpha.shape[1] for alpha in weights.values()] == [4, 8, 8, 16, 32]


def test_a_network_of_someone_else_s_has_a_stage_a_layer():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1))

        def forward(self, video):
            return self.first(video)

    network = Own()
    insert_tadaconv(network, "first")
    assert list(by_stage(calibration_weights(network, clips()))) == ["first"]
