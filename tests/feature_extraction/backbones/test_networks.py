"""Every network by name: one interface, any clip, TAdaConv that starts as the plain convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers.small_networks import small, trained
from torch import nn

from feature_extraction.backbones import (
    BACKBONES,
    build_backbone,
    fold_for_inference,
    for_inference,
)
from feature_extraction.backbones.blocks import Bottleneck
from feature_extraction.tadaconv import TAdaConv1d, TAdaConv2d, TAdaConv3d
from feature_extraction.tadaconv.generation import LinearCalibration
from feature_extraction.weights import weights_digest

PLAIN = {name: name.partition("_tada")[0] for name in BACKBONES if "_tada" in name}
ADAPTED = [name for name in BACKBONES if "tada" in name]


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("shape", [(1, 33, 47), (5, 32, 32), (8, 40, 24)])
def test_any_length_and_size_and_batched_equals_single(name, shape):
    model = trained(name, num_classes=(3, 4))
    video = torch.randn(3, 3, *shape)
    with torch.no_grad():
        features = model.features(video)
        wide = 256 + (32 if "slowfast" in name else 0)
        assert features.shape == (3, model.feature_dim) == (3, wide)
        assert model.num_classes == (3, 4)
        for one, clip in zip(features, video, strict=True):
            torch.testing.assert_close(one, model.features(clip[None])[0], rtol=1e-4, atol=1e-4)
        layout = video.to(memory_format=torch.channels_last_3d)
        torch.testing.assert_close(model.features(layout), features, rtol=1e-4, atol=1e-4)
        for logits, again, count in zip(
            model(video), model.classify(features), (3, 4), strict=True
        ):
            assert logits.shape == (3, count)
            torch.testing.assert_close(logits, again)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_paper_widths(name):
    with torch.device("meta"):
        model = build_backbone(name, num_classes=4)
    assert model.feature_dim == (2048 + 256 if "slowfast" in name else 2048)


@pytest.mark.parametrize("name", PLAIN)
def test_with_tadaconv_it_starts_as_without(name):
    plain, tada = small(PLAIN[name]), small(name)
    assert plain.state_dict().keys() < tada.state_dict().keys()
    tada.load_state_dict(plain.state_dict(), strict=False)
    video = torch.randn(2, 3, 8, 32, 32)
    for training in (True, False):
        ours, theirs = tada.train(training).features(video), plain.train(training).features(video)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("options", [{}, {"aggregation": "mixed"}, {"aggregation": "average"}])
def test_folded_for_inference_it_computes_the_same(name, options):
    model = trained(name, **options).double()
    digest = weights_digest(model)
    folded = fold_for_inference(model)
    assert weights_digest(model) == digest and folded.feature_dim == model.feature_dim
    stems = [folded.slow.stem, folded.fast.stem] if "slowfast" in name else [folded.stem]
    assert all(isinstance(stem.norm, nn.Identity) for stem in stems)
    for length in (1, 8):
        video = torch.randn(2, 3, length, 40, 48, dtype=torch.float64)
        with torch.inference_mode():
            torch.testing.assert_close(folded.features(video), model.features(video))
    network = for_inference(model.float(), precision="bfloat16")
    features = network.features(torch.randn(1, 3, 8, 32, 32))
    assert features.dtype == torch.float32 and features.isfinite().all()


@pytest.mark.parametrize("name", BACKBONES)
def test_it_takes_a_memory_format_where_torch_has_one(name):
    model = trained(name)
    video = torch.randn(2, 3, 5, 32, 32)
    with torch.no_grad():
        features = model.features(video)
        assert model.to("cpu", memory_format=torch.channels_last) is model
        laid_out = model.features(video.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(laid_out, features, rtol=1e-4, atol=1e-4)
    kernels = [p for p in model.parameters() if p.dim() == 4]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    assert next(model.to(torch.float64).parameters()).dtype == torch.float64


@pytest.mark.parametrize("name", BACKBONES)
def test_every_weight_learns(name):
    """No parameter is left out of the network, in float32 and under autocast."""
    model = trained(name, width=16).train()
    for half in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = model(torch.randn(3, 3, 16, 40, 40))
        F.cross_entropy(logits.float(), torch.tensor([0, 1, 2])).backward()
        for key, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), key
            # A bias before a batch norm does nothing.
            assert half or parameter.grad.abs().max() > 0 or key.endswith("route.a.bias"), key


def bn(module: nn.BatchNorm2d, video):
    """A batch norm over videos, in eval mode."""
    return F.batch_norm(
        video, module.running_mean, module.running_var, module.weight, module.bias, False
    )


def kernel_over_time(conv: nn.Module):
    return conv.weight if conv.weight.dim() == 5 else conv.weight[:, :, None]


def convolve(conv_norm, video, stride=(1, 1, 1)):
    weight = kernel_over_time(conv_norm.conv)
    padding = tuple(size // 2 for size in weight.shape[2:])
    return bn(conv_norm.norm, F.conv3d(video, weight, None, stride, padding))


def textbook_block(block: Bottleneck, video, stride):
    branch = F.relu(convolve(block.reduce, video))
    branch = F.conv3d(branch, block.conv.weight[:, :, None], None, (1, stride, stride), (0, 1, 1))
    branch = convolve(block.expand, F.relu(bn(block.aggregate.norm, branch)))
    kept = video if block.shortcut is None else convolve(block.shortcut, video, (1, stride, stride))
    return F.relu(branch + kept)


@pytest.mark.parametrize(("name", "alpha"), [("slowfast_4x16", 8), ("slowfast_8x8", 4)])
@pytest.mark.parametrize("length", [32, 7])
def test_slowfast_equals_the_textbook_form(name, alpha, length):
    """On 5-D videos: the slow pathway's frames are the first of every alpha."""
    model = trained(name).double()
    video = torch.randn(2, 3, length, 48, 40, dtype=torch.float64)
    pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
    slow = pool(F.relu(convolve(model.slow.stem, video[:, :, ::alpha], (1, 2, 2))))
    fast = pool(F.relu(convolve(model.fast.stem, video, (1, 2, 2))))
    for index in range(4):
        lateral = model.lateral[index]
        assert lateral.conv.weight.shape[2] == {8: 5, 4: 7}[alpha]
        slow = torch.cat([slow, F.relu(convolve(lateral, fast, (alpha, 1, 1)))], 1)
        for number in range(len(model.slow.stages[index])):
            stride = 2 if index and not number else 1
            slow = textbook_block(model.slow.stages[index][number], slow, stride)
            fast = textbook_block(model.fast.stages[index][number], fast, stride)
    expected = torch.cat([slow.mean((2, 3, 4)), fast.mean((2, 3, 4))], 1)
    with torch.no_grad():
        torch.testing.assert_close(model.features(video), expected)
    taps = [stage[0].reduce.conv.weight.dim() == 5 for stage in model.slow.stages]
    assert taps == [False, False, True, True]


def test_r2plus1d_and_r3d_equal_their_textbook_forms():
    for name in ("r2plus1d", "r3d"):
        model = trained(name).double()
        video = torch.randn(2, 3, 6, 40, 32, dtype=torch.float64)
        x = F.relu(convolve(model.stem, video, (1, 2, 2)))
        assert model.stem.conv.weight.dim() == (5 if name == "r3d" else 4)
        for stage in model.stages:
            for number, block in enumerate(stage):
                stride = (1, 1, 1) if number else (1, 2, 2)
                y = F.relu(convolve(block.reduce, x))
                if name == "r3d":
                    y = F.conv3d(y, block.conv.weight, None, stride, 1)
                else:
                    spatial = block.conv.spatial.weight[:, :, None]
                    y = F.relu(
                        bn(block.conv.between.norm, F.conv3d(y, spatial, None, stride, (0, 1, 1)))
                    )
                    y = F.conv3d(y, block.conv.temporal.weight, None, 1, (1, 0, 0))
                y = convolve(block.expand, F.relu(bn(block.aggregate.norm, y)))
                x = F.relu(y + (convolve(block.shortcut, x, stride) if block.shortcut else x))
        with torch.no_grad():
            torch.testing.assert_close(model.features(video), x.mean((2, 3, 4)))


@pytest.mark.parametrize("name", ADAPTED)
def test_tadaconv_stands_where_it_is_asked_for(name):
    kinds = {
        "r2plus1d_tada_2d": [TAdaConv2d],
        "r2plus1d_tada_2d1d": [TAdaConv2d, TAdaConv1d],
        "r3d_tada": [TAdaConv3d],
    }.get(name, [TAdaConv2d])
    paths = 2 if "slowfast" in name else 1

    def found(model):
        return [type(m) for m in model.modules() if isinstance(m, (TAdaConv2d, TAdaConv3d))]

    assert sorted(map(str, found(small(name)))) == sorted(map(str, kinds * 5 * paths))
    assert len(found(small(name, tada_stages=(3,)))) == 2 * paths * len(kinds)
    model = small(name, tada_stages=(2, 5), kernels=(3,), global_context=False)
    routes = [m for m in model.modules() if isinstance(m, LinearCalibration)]
    assert len(routes) == 2 * paths * len(kinds) and all(route.g is None for route in routes)
    assert model.eval()(torch.randn(1, 3, 4, 32, 32)).shape == (1, 3)


def test_the_networks_of_table_2_have_the_context_its_counts_say():
    for name in ADAPTED:
        keys = small(name).state_dict()
        assert any(".route.g." in key for key in keys) == (not name.startswith(("r2plus1d", "r3d")))
        keys = small(name, global_context=True).state_dict()
        assert any(".route.g." in key for key in keys)


def test_slow_pathways_start_as_their_shortcuts():
    for name in ("slowonly_8x8", "slowfast_4x16_tada"):
        blocks = [m for m in small(name).modules() if isinstance(m, Bottleneck)]
        assert blocks and all((block.expand.norm.weight == 0).all() for block in blocks)
    blocks = [m for m in small("r3d").modules() if isinstance(m, Bottleneck)]
    assert all((block.expand.norm.weight == 1).all() for block in blocks)
