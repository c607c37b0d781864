"""TAdaConv put into networks of others: torchvision's video ResNets, and one on frames."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.models.video import mc3_18, r2plus1d_18, r3d_18

from feature_extraction import TAdaConv2d, TAdaConv3d, insert_tadaconv
from feature_extraction.tadaconv.generation import LinearCalibration

NETWORKS = {
    "r3d_18": (r3d_18, "*conv?.0", 16),
    "mc3_18": (mc3_18, "layer?.*.conv?.0", 16),
    "r2plus1d_18": (r2plus1d_18, "layer?.*.conv?.0.[03]", 32),  # the spatial and the temporal ones
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    build, where, count = NETWORKS[request.param]
    torch.manual_seed(0)
    return build(num_classes=7), where, count


@pytest.mark.parametrize("calibrate", ["in", "out", "in_out", "kernel"])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_at_the_start_are_unchanged(network, calibrate, training):
    original, where, count = network
    model = copy.deepcopy(original).train(training)
    video = torch.randn(2, 3, 5, 40, 36)
    before = copy.deepcopy(model)(video)
    replaced = insert_tadaconv(model, where, calibrate=calibrate)
    assert len(replaced) == count and all(
        isinstance(model.get_submodule(name), TAdaConv3d) for name in replaced
    )
    assert all(module.training == training for module in model.modules())
    torch.testing.assert_close(model(video), before, rtol=1e-4, atol=1e-4)


def test_it_learns_and_keeps_the_weights_names(network):
    original, where, _ = network
    model = copy.deepcopy(original)
    replaced = insert_tadaconv(model, where, kernels=(3,), global_context=False, proportion=0.5)
    theirs, ours = original.state_dict(), model.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in theirs.items())
    assert all(".route." in key for key in ours.keys() - theirs.keys())
    assert not model.load_state_dict(theirs, strict=False).unexpected_keys
    model(torch.randn(2, 3, 4, 32, 32)).square().sum().backward()
    for name in replaced:
        route = model.get_submodule(name).route
        assert isinstance(route, LinearCalibration) and route.b.weight.grad.abs().max() > 0


def test_where_may_be_a_function():
    model = r3d_18()
    replaced = insert_tadaconv(model, lambda name, conv: conv.stride == (2, 2, 2))
    assert sorted(replaced) == sorted(
        f"layer{number}.0.{part}" for number in (2, 3, 4) for part in ("conv1.0", "downsample.0")
    )
    assert isinstance(model.layer2[0].conv1[0], TAdaConv3d)
    assert model.layer2[0].conv1[0].time_stride == 2


def test_frames_as_a_batch():
    torch.manual_seed(0)
    model = resnet18(num_classes=4).eval()
    frames = torch.randn(12, 3, 40, 40)
    before = model(frames)
    replaced = insert_tadaconv(model, "layer4.*.conv?", frames=6)
    assert len(replaced) == 4
    torch.testing.assert_close(model(frames), before, rtol=1e-4, atol=1e-4)
    conv = model.layer4[1].conv2
    nn.init.normal_(conv.route.b.weight)
    video = torch.randn(2, 512, 6, 5, 5)
    alone = TAdaConv2d(512, 512, 3, padding=1).eval()
    alone.load_state_dict(conv.state_dict())
    torch.testing.assert_close(
        conv(video.transpose(1, 2).flatten(0, 1)), alone(video).transpose(1, 2).flatten(0, 1)
    )
    with pytest.raises(ValueError, match="7 frames are not a multiple of the clip length 6"):
        model(frames[:7])


def test_dtype_bias_padding_and_shared_convolutions_are_kept():
    torch.manual_seed(0)
    conv = nn.Conv3d(4, 4, (3, 1, 3), padding="same", bias=True).double()
    model = nn.Sequential(
        conv, nn.ReLU(), conv, nn.Conv3d(4, 2, (1, 3, 3), padding="valid").double()
    )
    video = torch.randn(1, 4, 5, 6, 6, dtype=torch.float64)
    before = model(video)
    assert insert_tadaconv(model, "*") == ("0", "2", "3")
    assert model[0] is model[2] and model[0].bias is conv.bias
    torch.testing.assert_close(model(video), before)


def conv3d(**options) -> nn.Module:
    return nn.Sequential(nn.Conv3d(4, 4, **{"kernel_size": 3, "padding": 1, **options}))


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (conv3d(groups=2), {}, "0: Conv3d.*groups, dilation or a padding"),
        (conv3d(dilation=2), {}, "groups, dilation or a padding"),
        (conv3d(padding_mode="replicate"), {}, "groups, dilation or a padding"),
        (conv3d(kernel_size=2), {}, "0: over time the kernel must be odd"),
        (conv3d(padding=0), {}, "0: over time the kernel must be odd"),
        (conv3d(kernel_size=(3, 2, 2), padding="same"), {}, "not symmetric"),
        (nn.Sequential(nn.Conv2d(4, 4, 3)), {}, "0 is an nn.Conv2d: give `frames`"),
        (
            nn.Sequential(nn.Linear(4, 4)),
            {},
            "no convolution matches '\\*'; the network's first are: none",
        ),
        (
            nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv3d(4, 4, 1))),
            {},
            "parametrized",
        ),
        (conv3d(), {"kernels": (2,)}, "odd"),
        (conv3d(), {"calibrate": "time"}, "calibrate must be"),
    ],
)
def test_what_cannot_be_replaced_is_refused_and_nothing_changes(model, options, said):
    model.append(nn.Conv3d(4, 4, 1)) if "no convolution" not in said else None
    before = [id(module) for module in model.modules()]
    with pytest.raises(ValueError, match=said):
        insert_tadaconv(model, "*", **options)
    assert [id(module) for module in model.modules()] == before


def test_a_pattern_that_meets_nothing_names_convolutions():
    with pytest.raises(
        ValueError, match="matches 'layer9'; the network's first are: stem.0, layer1"
    ):
        insert_tadaconv(r3d_18(), "layer9")
