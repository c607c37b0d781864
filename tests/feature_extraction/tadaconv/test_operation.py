"""The fast forms of TAdaConv against one kernel a frame, and the reference vectors."""

from __future__ import annotations

import pytest
import torch
from helpers.textbook_tadaconv import framewise, framewise_3d, grouped, how_many
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from feature_extraction.tadaconv import (
    tadaconv1d,
    tadaconv2d,
    tadaconv3d,
)
from feature_extraction.tadaconv.tap_factors import kernel_a_frame, taps_as_channels

KINDS = ("in", "out", "in_out", "kernel")


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.detach() - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize(
    "name", ["2d_cin", "2d_cout", "2d_cin_bias_stride", "3d_cin", "3d_cout", "1d_temporal_cin"]
)
def test_matches_the_reference_operations(reference, name):
    vectors = reference("tadaconv_ops.npz")
    get = {
        key.removeprefix(f"{name}/"): torch.from_numpy(value)
        for key, value in vectors.items()
        if key.startswith(f"{name}/")
    }
    weight, alpha = get["weight"][0, 0], get["alpha"][..., 0, 0]
    calibrate = "out" if "cout" in name else "in"
    if name.startswith("1d"):
        output = tadaconv1d(get["input"], weight[..., 0, 0], alpha, calibrate=calibrate)
    else:
        output = (tadaconv3d if name.startswith("3d") else tadaconv2d)(
            get["input"],
            weight,
            alpha,
            get["bias"][0, 0] if "bias" in get else None,
            stride=2 if "stride" in name else 1,
            padding=1,
            calibrate=calibrate,
        )
    assert output.shape == get["output"].shape
    assert relative(output, get["output"]) < 1e-5


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 4),
    kernel=st.sampled_from([(1, 1), (3, 3), (3, 1), (5, 3)]),
    stride=st.integers(1, 2),
    calibrate=st.sampled_from(["in", "out"]),
    bias=st.booleans(),
)
def test_one_convolution_equals_a_kernel_a_frame(sizes, kernel, stride, calibrate, bias):
    batch, channels, out_channels, length = sizes
    torch.manual_seed(0)
    inputs = [
        torch.randn(batch, channels, length, 6, 9, dtype=torch.float64),
        torch.randn(out_channels, channels, *kernel, dtype=torch.float64),
        torch.randn(batch, channels if calibrate == "in" else out_channels, length).double(),
    ]
    inputs += [torch.randn(out_channels, dtype=torch.float64)] if bias else []
    for tensor in inputs:
        tensor.requires_grad_()
    padding = (kernel[0] // 2, kernel[1] // 2)
    options = {"stride": stride, "padding": padding, "calibrate": calibrate}
    fast, slow = tadaconv2d(*inputs, **options), grouped(*inputs, **options)
    torch.testing.assert_close(fast, slow)
    weights = torch.randn_like(slow)
    for one, other in zip(
        torch.autograd.grad((fast * weights).sum(), inputs),
        torch.autograd.grad((slow * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("calibrate", ["in", "out"])
def test_3d_equals_a_3d_convolution_a_frame(calibrate):
    torch.manual_seed(0)
    video = torch.randn(2, 4, 5, 6, 7, dtype=torch.float64)
    weight = torch.randn(3, 4, 3, 3, 3, dtype=torch.float64)
    alpha = torch.randn(2, 4 if calibrate == "in" else 3, 5, dtype=torch.float64)
    output = tadaconv3d(video, weight, alpha, padding=1, calibrate=calibrate)
    torch.testing.assert_close(output, framewise_3d(video, weight, alpha, calibrate=calibrate))
    flat = weight[..., 1:2, 1:2]
    output = tadaconv1d(video, flat[..., 0, 0], alpha, calibrate=calibrate)
    expected = framewise_3d(video, flat, alpha, padding=(1, 0, 0), calibrate=calibrate)
    torch.testing.assert_close(output, expected)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 4),
    kernel=st.sampled_from([(1, 3, 3), (1, 1, 1), (3, 1, 1), (3, 3, 3), (5, 3, 1), (1, 2, 3)]),
    stride=st.tuples(*[st.integers(1, 2)] * 3),
    calibrate=st.sampled_from(KINDS),
    bias=st.booleans(),
)
def test_every_form_equals_a_kernel_a_frame(sizes, kernel, stride, calibrate, bias):
    batch, channels, out_channels, length = sizes
    torch.manual_seed(0)
    video = torch.randn(batch, channels, length, 6, 9, dtype=torch.float64)
    weight = torch.randn(out_channels, channels, *kernel, dtype=torch.float64)
    alpha = torch.randn(batch, how_many(weight, calibrate), length, dtype=torch.float64)
    shift = torch.randn(out_channels, dtype=torch.float64) if bias else None
    leaves = [tensor.requires_grad_() for tensor in (video, weight, alpha)]
    padding = (kernel[1] // 2, kernel[2] // 2)
    slow = framewise(video, weight, alpha, shift, stride, padding, calibrate)
    options = {"stride": stride[1:], "padding": padding, "calibrate": calibrate}
    fast = tadaconv3d(video, weight, alpha, shift, time_stride=stride[0], **options)
    torch.testing.assert_close(fast, slow)
    if kernel[0] == 1 and stride[0] == 1:
        torch.testing.assert_close(
            tadaconv2d(video, weight[:, :, 0], alpha, shift, **options), slow
        )
    if kernel[1:] == (1, 1) and stride[1:] == (1, 1):
        flat = weight[..., 0, 0]
        line = tadaconv1d(video, flat, alpha, shift, calibrate=calibrate, time_stride=stride[0])
        torch.testing.assert_close(line, slow)
    weights = torch.randn_like(slow)
    for one, other in zip(
        torch.autograd.grad((fast * weights).sum(), leaves),
        torch.autograd.grad((slow * weights).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("stride", "padding"), [((1, 1), (1, 1)), ((2, 1), (0, 2)), ((3, 2), (1, 0))]
)
@pytest.mark.parametrize("taps", [1, 3])
def test_both_forms_of_a_factor_a_tap_agree(stride, padding, taps):
    torch.manual_seed(0)
    frames = torch.randn(4, 5 * taps, 7, 8, dtype=torch.float64)
    weight = torch.randn(6, 5, taps, 3, 2, dtype=torch.float64)
    factors = torch.randn(4, taps, 3, 2, dtype=torch.float64)
    slow = kernel_a_frame(frames, weight, factors, stride, padding)
    torch.testing.assert_close(taps_as_channels(frames, weight, factors, stride, padding), slow)
