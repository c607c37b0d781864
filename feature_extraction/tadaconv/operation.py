"""Temporally-adaptive convolution (TAdaConv): kernels calibrated frame by frame.

Paper, Section 3.2: the kernel of frame t is W_t = alpha_t * W_b (Eq. 3), and the calibration weight
alpha_t comes from the frames around t and from the whole clip (Eq. 4 to 6).

A convolution is linear, so a factor on the kernel's input channels may stand on the input instead,
(alpha_t W) * x_t = W * (alpha_t x_t), and a factor on its output channels on the output. Every form
here is therefore ONE ordinary convolution with W_b over all frames, exactly, and never a grouped
convolution with one kernel a frame. But for one: a factor on each tap of the kernel (Table 4's k^2)
has no such form and lies in `tap_factors.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from feature_extraction.tadaconv.convolution import conv2d
from feature_extraction.tadaconv.generation import Calibrate
from feature_extraction.tadaconv.layout import neighbours, to_frames, to_video
from feature_extraction.tadaconv.tap_factors import conv_with_tap_factors


def scale_frames(frames: Tensor, alpha: Tensor) -> Tensor:
    """Multiply frames [B*T, C, H, W] by factors alpha [B, C, T], one per channel and frame."""
    factors = alpha.transpose(1, 2).flatten(0, 1).to(frames.dtype)
    return frames * factors[:, :, None, None]


def tadaconv2d_frames(
    frames: Tensor,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    calibrate: Calibrate = "in",
) -> Tensor:
    """TAdaConv over frames that lie one after the other (Eq. 3).

    frames [B*T, Ci, H, W]; weight [Co, Ci, kh, kw]; bias [Co], added after the calibration; alpha
    [B, Ci, T] (calibrate "in"), [B, Co, T] ("out"), [B, Ci + Co, T] ("in_out", the factors of a
    kernel's weight multiply) or [B, kh * kw, T] ("kernel"). Returns [B*T, Co, H', W'].
    """
    if calibrate == "kernel":
        factors = _tap_factors(alpha, (1, *weight.shape[2:]))
        return conv_with_tap_factors(
            frames, weight[:, :, None], factors, bias, stride=stride, padding=padding
        )
    if calibrate == "in":
        return conv2d(scale_frames(frames, alpha), weight, bias, stride, padding)
    if calibrate == "in_out":
        before, alpha = torch.split_with_sizes(alpha, (weight.shape[1], weight.shape[0]), 1)
        frames = scale_frames(frames, before)
    output = scale_frames(conv2d(frames, weight, None, stride, padding), alpha)
    return output if bias is None else output + bias[:, None, None]


def tadaconv2d(
    video: Tensor,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    calibrate: Calibrate = "in",
) -> Tensor:
    """TAdaConv over a video [B, Ci, T, H, W] -> [B, Co, T, H', W']; see `tadaconv2d_frames`."""
    output = tadaconv2d_frames(
        to_frames(video), weight, alpha, bias, stride=stride, padding=padding, calibrate=calibrate
    )
    return to_video(output, video.shape[2])


def tadaconv3d_frames(
    frames: Tensor,
    length: int,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    calibrate: Calibrate = "in",
    time_stride: int = 1,
) -> Tensor:
    """3-D TAdaConv over frames [B*T, Ci, H, W] of clips of `length` = T; see `tadaconv3d`."""
    taps, size = weight.shape[2], weight.shape[3:]
    alpha = alpha[:, :, ::time_stride]
    around = neighbours(frames, length, taps, time_stride)
    if calibrate == "kernel":
        factors = _tap_factors(alpha, (taps, *size))
        return conv_with_tap_factors(around, weight, factors, bias, stride=stride, padding=padding)
    before = alpha[:, : weight.shape[1]]
    if calibrate in ("in", "in_out"):
        around = scale_frames(around, before.repeat_interleave(taps, 1))
    if calibrate == "in":
        return conv2d(around, weight.flatten(1, 2), bias, stride, padding)
    output = conv2d(around, weight.flatten(1, 2), None, stride, padding)
    output = scale_frames(output, alpha[:, -weight.shape[0] :])
    return output if bias is None else output + bias[:, None, None]


def tadaconv3d(
    video: Tensor,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    calibrate: Calibrate = "in",
    time_stride: int = 1,
) -> Tensor:
    """3-D TAdaConv: the kernel centred on frame t, all kt taps of it, is calibrated by alpha_t.

    video [B, Ci, T, H, W]; weight [Co, Ci, kt, kh, kw] with kt odd; alpha [B, ., T] as for
    `tadaconv2d_frames` (kt * kh * kw taps); stride and padding are spatial, time is padded with
    zeros to keep its length and every `time_stride`-th frame is put out.
    Returns [B, Co, T', H', W']. Calibrated on the input channels, the kt taps see the same frame
    under different factors, so the taps are laid side by side as channels: one 2-D convolution.
    """
    length = video.shape[2]
    output = tadaconv3d_frames(
        to_frames(video),
        length,
        weight,
        alpha,
        bias,
        stride=stride,
        padding=padding,
        calibrate=calibrate,
        time_stride=time_stride,
    )
    return to_video(output, -(-length // time_stride))


def tadaconv1d(
    video: Tensor,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    *,
    calibrate: Calibrate = "in",
    time_stride: int = 1,
) -> Tensor:
    """Temporal TAdaConv: a kt x 1 x 1 kernel, weight [Co, Ci, kt]; otherwise as `tadaconv3d`."""
    return tadaconv3d(
        video,
        weight[..., None, None],
        alpha,
        bias,
        calibrate=calibrate,
        time_stride=time_stride,
    )


def _tap_factors(alpha: Tensor, size: tuple[int, ...]) -> Tensor:
    """[B, taps, T] -> a factor a tap for each frame, [B*T, *size]."""
    return torch.unflatten(alpha.transpose(1, 2).flatten(0, 1), 1, size)
