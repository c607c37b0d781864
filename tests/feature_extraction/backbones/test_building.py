"""A backbone by name: options of no effect and wrong ones are refused."""

from __future__ import annotations

import pytest
from helpers.small_networks import small

from feature_extraction.backbones import BACKBONES, build_backbone

ADAPTED = [name for name in BACKBONES if "tada" in name]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("tsn", {"calibrate": "out"}, "tsn has no TAdaConv: calibrate"),
        ("r3d", {"proportion": 0.5}, "r3d has no TAdaConv: proportion"),
        ("slowfast_8x8", {"tada_stages": (2,)}, "slowfast_8x8 has no TAdaConv: tada_stages"),
        ("r2plus1d", {"global_context": True}, "r2plus1d has no TAdaConv: global_context"),
        ("tada2d", {"tada_stages": (1, 2)}, "some of 2 to 5"),
        ("tada2d", {"tada_stages": ()}, "some of 2 to 5"),
        ("tada2d", {"calibrate": "time"}, "calibrate must be"),
        ("tada2d", {"aggregation": "median"}, "aggregation must be"),
        ("tsn", {"shortcut": False}, "have no effect"),
        ("slowonly_8x8_tada", {"separate_norms": False}, "have no effect"),
        ("tada2d", {"aggregation": "none", "separate_norms": False}, "have no effect"),
    ],
)
def test_options_without_effect_are_refused(name, options, said):
    with pytest.raises(ValueError, match=said):
        small(name, **options)


def test_one_configuration_runs_every_name():
    """The keys of the shipped configurations may stay when the name changes."""
    for name in BACKBONES:
        small(name, reduction=1, kernels=(3, 3), pool_kernel=3)


def test_aggregation_alone_is_an_option_of_tsn():
    model = small("tsn", aggregation="average")
    assert any("pooled_norm" in key for key in model.state_dict())
    tada = small("tada2d", aggregation="none").state_dict()
    assert not any("pooled_norm" in key for key in tada) and any("route" in key for key in tada)


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match="'resnet': choose from tsn, tada2d"):
        build_backbone("resnet", num_classes=4)
    with pytest.raises(ValueError, match="depth must be 50, 101, 152"):
        build_backbone("tsn", depth=34, num_classes=4)
    with pytest.raises(ValueError, match="num_classes"):
        build_backbone("tsn", depth=(1, 1, 1, 1), width=8, num_classes=(3, 4, 5))
    with pytest.raises(ValueError, match="pool_kernel"):
        build_backbone("tada2d", depth=(1, 1, 1, 1), width=8, num_classes=4, pool_kernel=2)
