"""The modules and their options (Tables 3a and 4, Fig. 3): each starts as the plain convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers.textbook_tadaconv import framewise, grouped
from torch import nn

from feature_extraction.tadaconv import (
    CalibrationWeights,
    TAdaConv1d,
    TAdaConv2d,
    TAdaConv3d,
)
from feature_extraction.tadaconv.generation import LinearCalibration
from feature_extraction.tadaconv.layout import to_frames, to_video

KINDS = ("in", "out", "in_out", "kernel")


def made(shape, **options):
    """A TAdaConv of 6 to 4 channels over videos, by its dimensions."""
    size = {"padding": 1, "reduction": 1, **options}
    kinds = {"1d": TAdaConv1d, "2d": TAdaConv2d, "3d": TAdaConv3d}
    return kinds[shape](6, 4, 3, **size)


@pytest.mark.parametrize("calibrate", ["in", "out"])
def test_starts_as_the_plain_convolution(calibrate):
    torch.manual_seed(0)
    conv = TAdaConv2d(8, 12, (3, 1), stride=2, padding=(1, 0), bias=True, calibrate=calibrate)
    nn.init.normal_(conv.bias)
    video = torch.randn(2, 8, 4, 7, 5)
    plain = F.conv2d(to_frames(video), conv.weight, conv.bias, 2, (1, 0))
    for mode in (True, False):
        torch.testing.assert_close(conv.train(mode)(video), to_video(plain, 4))


def test_calibrates_by_what_it_sees_or_by_what_it_is_given():
    torch.manual_seed(0)
    conv = TAdaConv2d(8, 8, 3, padding=1).eval()
    nn.init.normal_(conv.route.b.weight)
    video = torch.randn(2, 8, 4, 6, 6)
    alpha = conv.route(to_frames(video), 4)
    assert alpha.shape == (2, 8, 4) and alpha.std() > 0
    torch.testing.assert_close(conv(video), conv(video, alpha))
    torch.testing.assert_close(conv(video), grouped(video, conv.weight, alpha, padding=1))
    torch.testing.assert_close(conv(video)[1:], conv(video[1:]))


@pytest.mark.parametrize("shape", ["1d", "2d", "3d"])
@pytest.mark.parametrize("calibrate", KINDS)
@pytest.mark.parametrize("kernels", [(1,), (3,), (1, 1), (3, 1), (1, 3), (3, 3)])
@pytest.mark.parametrize("global_context", [True, False])
def test_every_option_starts_as_the_plain_convolution(shape, calibrate, kernels, global_context):
    torch.manual_seed(0)
    options = {"calibrate": calibrate, "kernels": kernels, "global_context": global_context}
    conv = made(shape, bias=True, **options)
    nn.init.normal_(conv.bias)
    video = torch.randn(2, 6, 4, 7, 5)
    kernel = conv.weight[:, :, None] if shape == "2d" else conv.weight
    plain = F.conv3d(video, kernel, conv.bias, padding=tuple(n // 2 for n in kernel.shape[2:]))
    for training in (True, False):
        torch.testing.assert_close(conv.train(training)(video), plain, rtol=1e-4, atol=1e-5)
    linear = isinstance(conv.route, LinearCalibration)
    assert linear == (len(kernels) == 1) and (conv.route.g is not None) == global_context
    assert linear or isinstance(conv.route, CalibrationWeights)
    nn.init.normal_(conv.route.b.weight)  # and then it is another one
    if not linear:
        nn.init.ones_(conv.route.bn.bias)
    assert not torch.allclose(conv.eval()(video), plain, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("shape", ["1d", "2d", "3d"])
@pytest.mark.parametrize("calibrate", KINDS)
def test_it_calibrates_by_what_it_generates(shape, calibrate):
    torch.manual_seed(0)
    conv = made(shape, calibrate=calibrate).eval()
    nn.init.normal_(conv.route.b.weight)
    video = torch.randn(2, 6, 5, 6, 7)
    alpha = conv.route(to_frames(video), 5)
    weight = conv.weight[:, :, None] if shape == "2d" else conv.weight
    padding = (0, 0) if shape == "1d" else (1, 1)
    expected = framewise(video, weight, alpha, None, (1, 1, 1), padding, calibrate)
    for output in (conv(video), conv(video, alpha)):
        torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(conv(video[1:]), expected[1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("calibrate", ["in", "out", "in_out"])
def test_a_proportion_of_the_channels_is_calibrated(calibrate):
    """The first half of them, as if the other half's factors were one (Fig. 3)."""
    torch.manual_seed(0)
    conv = TAdaConv2d(6, 4, 3, padding=1, calibrate=calibrate, proportion=0.5).eval()
    nn.init.normal_(conv.route.b.weight)
    video = torch.randn(2, 6, 5, 6, 7)
    given = conv.route(to_frames(video), 5)
    halves = {"in": (3,), "out": (2,), "in_out": (3, 2)}[calibrate]
    assert given.shape[1] == sum(halves) == sum(conv.made)
    ones = [torch.ones(2, {"in": 3, "out": 2, "in_out": 3}[calibrate], 5), torch.ones(2, 2, 5)]
    pairs = zip(given.split(halves, 1), ones[: len(halves)], strict=True)
    parts = [part for pair in pairs for part in pair]
    weight = conv.weight[:, :, None]
    expected = framewise(video, weight, torch.cat(parts, 1), None, (1, 1, 1), (1, 1), calibrate)
    torch.testing.assert_close(conv(video), expected, rtol=1e-4, atol=1e-4)
    assert TAdaConv2d(64, 8, 3, proportion=1 / 64).made == (1,)
    assert TAdaConv2d(8, 8, 3, proportion=1 / 64).made == (1,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"calibrate": "both"}, "calibrate must be one of in, out, in_out, kernel"),
        ({"kernels": (2, 3)}, "odd"),
        ({"kernels": (2,)}, "odd"),
        ({"kernels": (3, 3, 3)}, "one or two"),
        ({"kernels": ()}, "one or two"),
        ({"proportion": 0.0}, "proportion must be above 0"),
        ({"proportion": 1.5}, "proportion must be above 0"),
        ({"proportion": 0.5, "calibrate": "kernel"}, "does not have"),
    ],
)
@pytest.mark.parametrize("shape", ["1d", "2d", "3d"])
def test_refuses_wrong_options(shape, options, said):
    with pytest.raises(ValueError, match=said):
        made(shape, **options)


def test_refuses_them_by_default_sizes():
    with pytest.raises(ValueError, match="calibrate"):
        TAdaConv2d(4, 4, 3, calibrate="both")
    with pytest.raises(ValueError, match="odd"):
        TAdaConv2d(4, 4, 3, kernels=(2, 3))


def test_refuses_kernels_without_a_middle_frame():
    for size, padding in (((2, 3, 3), (1, 1, 1)), ((3, 3, 3), (0, 1, 1)), ((1, 3, 3), 1)):
        with pytest.raises(ValueError, match="padding half of it"):
            TAdaConv3d(4, 4, size, padding=padding)
