"""TAdaConv's options (Tables 3, 4, Fig. 3): every fast form against one kernel a frame."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from feature_extraction.backbones.blocks import ClipConv
from feature_extraction.tadaconv import (
    CalibrationWeights,
    TAdaConv1d,
    TAdaConv2d,
    TAdaConv3d,
    tadaconv1d,
    tadaconv2d,
    tadaconv3d,
)
from feature_extraction.tadaconv.aggregation import (
    FrameNorm,
    TemporalAggregation,
    aggregation_of,
    maximum_over_time,
)
from feature_extraction.tadaconv.generation import LinearCalibration
from feature_extraction.tadaconv.layout import to_frames
from feature_extraction.tadaconv.tap_factors import kernel_a_frame, taps_as_channels

KINDS = ("in", "out", "in_out", "kernel")


def kernel_of(weight, factors, calibrate):
    """The kernel [Co, Ci, kt, kh, kw] of one frame, multiplied by its factors (Eq. 3)."""
    out_channels, in_channels = weight.shape[:2]
    if calibrate == "in":
        return weight * factors[None, :, None, None, None]
    if calibrate == "out":
        return weight * factors[:, None, None, None, None]
    if calibrate == "kernel":
        return weight * factors.reshape(weight.shape[2:])
    before, after = factors.split((in_channels, out_channels))
    return weight * after[:, None, None, None, None] * before[None, :, None, None, None]


def framewise(video, weight, alpha, bias, stride, padding, calibrate):
    """For every output frame the 3-D convolution of its surroundings with a kernel of its own."""
    reach, time_stride = weight.shape[2] // 2, stride[0]
    padded = F.pad(video, (0, 0, 0, 0, reach, reach))
    clips = []
    for clip, factors in zip(padded, alpha, strict=True):
        frames = [
            F.conv3d(
                clip[None, :, t : t + weight.shape[2]],
                kernel_of(weight, factors[:, t], calibrate),
                bias,
                (1, *stride[1:]),
                (0, *padding),
            )
            for t in range(0, video.shape[2], time_stride)
        ]
        clips.append(torch.cat(frames, 2))
    return torch.cat(clips)


def how_many(weight, calibrate):
    sizes = {"in": weight.shape[1], "out": weight.shape[0], "in_out": sum(weight.shape[:2])}
    return sizes.get(calibrate) or weight[0, 0].numel()


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


def made(shape, **options):
    """A TAdaConv of 6 to 4 channels over videos, by its dimensions."""
    size = {"padding": 1, "reduction": 1, **options}
    kinds = {"1d": TAdaConv1d, "2d": TAdaConv2d, "3d": TAdaConv3d}
    return kinds[shape](6, 4, 3, **size)


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


def test_linear_weights_are_one_convolution_over_time():
    torch.manual_seed(0)
    route = LinearCalibration(6, 4, kernel=3, global_context=True)
    nn.init.normal_(route.b.weight)
    frames = torch.randn(10, 6, 5, 5)
    local = frames.mean((2, 3)).reshape(2, 5, 6).transpose(1, 2)
    context = F.conv1d(local.mean(2, keepdim=True), route.g.weight, route.g.bias)
    expected = 1 + F.conv1d(local + context, route.b.weight, padding=1)
    torch.testing.assert_close(route(frames, 5), expected)


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
        ({"proportion": 0.5, "calibrate": "kernel"}, "has none of them"),
    ],
)
@pytest.mark.parametrize("shape", ["1d", "2d", "3d"])
def test_refuses_wrong_options(shape, options, said):
    with pytest.raises(ValueError, match=said):
        made(shape, **options)


def test_refuses_kernels_without_a_middle_frame():
    for size, padding in (((2, 3, 3), (1, 1, 1)), ((3, 3, 3), (0, 1, 1)), ((1, 3, 3), 1)):
        with pytest.raises(ValueError, match="padding half of it"):
            TAdaConv3d(4, 4, size, padding=padding)


def pooled(frames, kind, length, kernel):
    """Pooling over time, frame by frame."""
    clips = frames.unflatten(0, (-1, length))
    outputs = []
    for t in range(length):
        near = clips[:, max(0, t - kernel // 2) : t + kernel // 2 + 1]
        average, largest = near.sum(1) / kernel, near.amax(1)
        outputs.append({"average": average, "maximum": largest, "mixed": average + largest}[kind])
    return torch.stack(outputs, 1).flatten(0, 1)


@pytest.mark.parametrize("kind", ["average", "maximum", "mixed"])
@pytest.mark.parametrize(
    ("shortcut", "separate"), [(False, True), (False, False), (True, False), (True, True)]
)
@pytest.mark.parametrize(("kernel", "length"), [(3, 1), (3, 6), (5, 3), (1, 2)])
def test_aggregations_are_those_of_table_3b(kind, shortcut, separate, kernel, length):
    torch.manual_seed(0)
    options = {"kernel": kernel, "shortcut": shortcut, "separate_norms": separate}
    module = aggregation_of(kind, **options)(4)
    frames = torch.randn(2 * length, 4, 3, 5)
    plain = FrameNorm(4)(frames.clone(), length)
    if shortcut and separate:  # starts as without aggregation
        torch.testing.assert_close(module(frames.clone(), length), plain)
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 1 + (shortcut and separate)
    for norm in norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.running_mean)
    module.eval()
    aside = pooled(frames, kind, length, kernel)
    if shortcut and separate:
        expected = module.norm(frames) + module.pooled_norm(aside)
    else:
        expected = module.norm(frames + aside if shortcut else aside)
    torch.testing.assert_close(module(frames.clone(), length), F.relu(expected))


def test_aggregation_by_name():
    assert isinstance(aggregation_of("none")(4), FrameNorm)
    assert isinstance(aggregation_of("average")(4), TemporalAggregation)  # the folded, fast one
    for options in ({"shortcut": False}, {"separate_norms": False}):
        with pytest.raises(ValueError, match="have no effect"):
            aggregation_of("none", **options)
    with pytest.raises(ValueError, match="none, average, maximum, mixed, not 'max'"):
        aggregation_of("max")
    with pytest.raises(ValueError, match="pool_kernel"):
        aggregation_of("maximum", kernel=2)(4)
    half = torch.randn(6, 2, 3, 3).bfloat16()
    assert maximum_over_time(half, 3, 3).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("kernel", "taps", "stride", "time_stride"),
    [(3, 3, 2, 1), (1, 5, 1, 4), (7, 5, 2, 1), (1, 3, 1, 1)],
)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_plain_convolutions_over_time_equal_conv3d(kernel, taps, stride, time_stride, length):
    torch.manual_seed(0)
    conv = ClipConv(4, 6, stride, kernel=kernel, taps=taps, time_stride=time_stride)
    video = torch.randn(2, 4, length, 9, 8)
    output = conv.forward_frames(to_frames(video), length)
    torch.testing.assert_close(output, to_frames(conv(video)), rtol=1e-4, atol=1e-5)


def test_gradients_of_two_frames_in_bfloat16():
    """torch's own 3-D convolution gives garbage here on some processors."""
    torch.manual_seed(0)
    frames, exact = torch.randn(4, 16, 5, 5), ClipConv(16, 16, 1)
    exact.forward_frames(frames, 2).square().sum().backward()
    conv = ClipConv(16, 16, 1).bfloat16()
    conv.load_state_dict(exact.state_dict())
    conv.forward_frames(frames.bfloat16(), 2).square().sum().backward()
    error = (conv.weight.grad.float() - exact.weight.grad).abs().max()
    assert error < 0.05 * exact.weight.grad.abs().max()
