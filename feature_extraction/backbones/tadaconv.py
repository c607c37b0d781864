"""Temporally-adaptive convolution (TAdaConv): kernels calibrated frame by frame.

Paper, Section 3.2: the kernel of frame t is W_t = alpha_t * W_b (Eq. 3), and the calibration weight
alpha_t comes from the frames around t and from the whole clip (Eq. 4 to 6).

A convolution is linear, so a factor on the kernel's input channels may stand on the input instead,
(alpha_t W) * x_t = W * (alpha_t x_t), and a factor on its output channels on the output. Every form
here is therefore ONE ordinary convolution with W_b over all frames, exactly, and never a grouped
convolution with one kernel a frame.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Calibrate = Literal["in", "out"]


def to_frames(video: Tensor) -> Tensor:
    """[B, C, T, H, W] -> [B*T, C, H, W], the frames of a clip one after the other."""
    return video.transpose(1, 2).flatten(0, 1)


def to_video(frames: Tensor, length: int) -> Tensor:
    """[B*T, C, H, W] with clips of `length` = T frames -> [B, C, T, H, W]."""
    return frames.unflatten(0, (-1, length)).transpose(1, 2)


def scale_frames(frames: Tensor, alpha: Tensor) -> Tensor:
    """Multiply frames [B*T, C, H, W] by factors alpha [B, C, T], one a channel and frame."""
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

    frames [B*T, Ci, H, W]; weight [Co, Ci, kh, kw]; alpha [B, Ci, T] (calibrate "in") or
    [B, Co, T] ("out"); bias [Co], added after the calibration. Returns [B*T, Co, H', W'].
    """
    if calibrate == "in":
        return F.conv2d(scale_frames(frames, alpha), weight, bias, stride, padding)
    output = scale_frames(F.conv2d(frames, weight, None, stride, padding), alpha)
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


def tadaconv3d(
    video: Tensor,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    calibrate: Calibrate = "in",
) -> Tensor:
    """3-D TAdaConv: the kernel centred on frame t, all kt taps of it, is calibrated by alpha_t.

    video [B, Ci, T, H, W]; weight [Co, Ci, kt, kh, kw] with kt odd; alpha [B, Ci or Co, T];
    stride and padding are spatial (time keeps its length, padded with zeros).
    Returns [B, Co, T, H', W']. Calibrated on the input channels, the kt taps see the same frame
    under different factors, so the taps are laid side by side as channels: one 2-D convolution.
    """
    length, taps = video.shape[2], weight.shape[2]
    padded = F.pad(video, (0, 0, 0, 0, taps // 2, taps // 2))
    stacked = torch.cat([padded[:, :, tap : tap + length] for tap in range(taps)], dim=1)
    flat = weight.transpose(1, 2).flatten(1, 2)
    if calibrate == "in":
        alpha = alpha.repeat(1, taps, 1)
    return tadaconv2d(
        stacked, flat, alpha, bias, stride=stride, padding=padding, calibrate=calibrate
    )


def tadaconv1d(
    video: Tensor,
    weight: Tensor,
    alpha: Tensor,
    bias: Tensor | None = None,
    *,
    calibrate: Calibrate = "in",
) -> Tensor:
    """Temporal TAdaConv: a kt x 1 x 1 kernel, weight [Co, Ci, kt]; otherwise as `tadaconv3d`."""
    return tadaconv3d(video, weight[..., None, None], alpha, bias, calibrate=calibrate)


class CalibrationWeights(nn.Module):
    """Generate the calibration weights of a clip from its frames (Eq. 4 to 6).

    Frame descriptors v = GAP_s(x) and the clip descriptor g = GAP_st(x) give
    alpha = 1 + conv(relu(BN(conv(v + map(g))))), the convolutions running over time.

    The map of g goes from C to C channels and is added BEFORE the first convolution, as in the
    paper's public code, and as Table 4's +3.16 M parameters require; Eq. 5 in print maps C to C/r
    and adds after it. The last convolution has no bias and starts at zero, so alpha starts at one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        *,
        reduction: int = 4,
        kernels: tuple[int, int] = (3, 3),
        global_context: bool = True,
    ) -> None:
        """Take C, the calibrated dimension (default C), the ratio r and the odd kernel lengths."""
        super().__init__()
        if any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f"kernels must be odd, so that time keeps its length, not {kernels}")
        inner = max(1, in_channels // reduction)
        first, last = kernels
        self.g = nn.Conv1d(in_channels, in_channels, 1) if global_context else None
        self.a = nn.Conv1d(in_channels, inner, first, padding=first // 2)
        self.bn = nn.BatchNorm1d(inner)
        self.b = nn.Conv1d(inner, out_channels or in_channels, last, padding=last // 2, bias=False)
        nn.init.zeros_(self.b.weight)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """Frames [B*T, C, H, W] of clips of `length` = T frames -> alpha [B, C', T]."""
        local = frames.mean((2, 3)).unflatten(0, (-1, length)).transpose(1, 2)
        if self.g is not None:
            local = local + self.g(local.mean(2, keepdim=True))
        return 1 + self.b(torch.relu(self.bn(self.a(local))))


class TAdaConv2d(nn.Module):
    """A 2-D convolution whose kernel adapts to every frame: a drop-in for `nn.Conv2d` in video.

    Called on a video [B, Ci, T, H, W] it gives [B, Co, T, H', W']. At the start, and wherever its
    calibration weights are one, it is the plain convolution with the same `weight`.

        conv = TAdaConv2d(64, 64, 3, padding=1)
        output = conv(torch.randn(2, 64, 8, 56, 56))    # calibration weights made from the input
        output = conv(video, alpha=weights)             # or given, [B, 64, 8]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        bias: bool = False,
        calibrate: Calibrate = "in",
        reduction: int = 4,
        kernels: tuple[int, int] = (3, 3),
        global_context: bool = True,
    ) -> None:
        """Take the convolution's sizes, the calibrated dimension and `CalibrationWeights`' options.

        Raises ValueError on a `calibrate` other than "in" and "out", or on even `kernels`.
        """
        super().__init__()
        if calibrate not in ("in", "out"):
            raise ValueError(f'calibrate must be "in" or "out", not {calibrate!r}')
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.stride, self.padding, self.calibrate = stride, padding, calibrate
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.route = CalibrationWeights(
            in_channels,
            in_channels if calibrate == "in" else out_channels,
            reduction=reduction,
            kernels=kernels,
            global_context=global_context,
        )

    def forward_frames(self, frames: Tensor, length: int, alpha: Tensor | None = None) -> Tensor:
        """Frames [B*T, Ci, H, W] of clips of `length` = T frames -> [B*T, Co, H', W']."""
        alpha = self.route(frames, length) if alpha is None else alpha
        return tadaconv2d_frames(
            frames,
            self.weight,
            alpha,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            calibrate=self.calibrate,
        )

    def forward(self, video: Tensor, alpha: Tensor | None = None) -> Tensor:
        """Video [B, Ci, T, H, W] -> [B, Co, T, H', W']; `alpha` [B, Ci or Co, T] replaces ours."""
        length = video.shape[2]
        return to_video(self.forward_frames(to_frames(video), length, alpha), length)
