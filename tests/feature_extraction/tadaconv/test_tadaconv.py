"""TAdaConv: the reference vectors, and the fast forms against one kernel a frame."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from feature_extraction.tadaconv import (
    CalibrationWeights,
    TAdaConv2d,
    tadaconv1d,
    tadaconv2d,
    tadaconv3d,
)
from feature_extraction.tadaconv.layout import to_frames, to_video


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.detach() - theirs).abs().max() / theirs.abs().max())


def grouped(video, weight, alpha, bias=None, *, stride=1, padding=0, calibrate="in"):
    """Textbook form: every frame of every clip gets its own kernel, in B*T groups."""
    batch, channels, length, height, width = video.shape
    scales = alpha.transpose(1, 2)[..., None, None]
    scales = scales[:, :, None] if calibrate == "in" else scales[:, :, :, None]
    kernels = (scales * weight).reshape(-1, channels, *weight.shape[2:])
    frames = video.transpose(1, 2).reshape(1, -1, height, width)
    output = F.conv2d(frames, kernels, None, stride, padding, groups=batch * length)
    output = output.reshape(batch, length, weight.shape[0], *output.shape[2:]).transpose(1, 2)
    return output if bias is None else output + bias[:, None, None, None]


def framewise(video, weight, alpha, *, padding=1, calibrate="in"):
    """Textbook 3-D form: for output frame t, a 3-D convolution with the kernel alpha_t * W."""
    shape = (1, -1, 1, 1, 1) if calibrate == "in" else (-1, 1, 1, 1, 1)
    clips = []
    for clip, factors in zip(video, alpha, strict=True):
        frames = [
            F.conv3d(clip[None], weight * factors[:, t].reshape(shape), padding=padding)[:, :, t]
            for t in range(video.shape[2])
        ]
        clips.append(torch.stack(frames, 2))
    return torch.cat(clips)


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


def test_matches_the_reference_calibration_weights(reference):
    vectors = {key: torch.from_numpy(value) for key, value in reference("tadaconv_ops.npz").items()}
    route = CalibrationWeights(8, reduction=2).eval()
    own = route.state_dict()
    route.load_state_dict(
        {key: vectors[f"route/state/{key}"].reshape(own[key].shape) for key in own}
    )
    alpha = route(to_frames(vectors["route/input"]), 6)
    assert relative(alpha, vectors["route/output"][..., 0, 0]) < 1e-5


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
    torch.testing.assert_close(output, framewise(video, weight, alpha, calibrate=calibrate))
    flat = weight[..., 1:2, 1:2]
    output = tadaconv1d(video, flat[..., 0, 0], alpha, calibrate=calibrate)
    expected = framewise(video, flat, alpha, padding=(1, 0, 0), calibrate=calibrate)
    torch.testing.assert_close(output, expected)


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


def test_local_weights_see_their_neighbours_alone():
    torch.manual_seed(0)
    route = CalibrationWeights(8, kernels=(3, 3), global_context=False).eval()
    nn.init.normal_(route.b.weight)
    nn.init.constant_(route.bn.bias, 1.0)
    frames = torch.randn(9, 8, 5, 5)
    changed = frames.clone()
    changed[8] += 1
    differs = (route(frames, 9) != route(changed, 9)).any(1)[0]
    assert not differs[:6].any() and differs[6:].any()  # two kernels of 3 reach two frames


def test_refuses_wrong_options():
    with pytest.raises(ValueError, match="calibrate"):
        TAdaConv2d(4, 4, 3, calibrate="both")
    with pytest.raises(ValueError, match="odd"):
        TAdaConv2d(4, 4, 3, kernels=(2, 3))
