"""How calibration weights are made from a clip's frames (Section 3.2, Eq. 4 to 6; Tables 3a and 4)."""

from __future__ import annotations

from typing import Literal, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.tadaconv.layout import to_clips

Calibrate = Literal["in", "out", "in_out", "kernel"]
Kernels = tuple[int] | tuple[int, int]


class CalibrationOptions(TypedDict):
    """How calibration weights are made: the options of `TAdaConv2d` by name."""

    calibrate: Calibrate
    proportion: float
    reduction: int
    kernels: Kernels
    global_context: bool


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
        inner = max(1, in_channels // reduction)
        first, last = _odd(kernels)
        self.g = nn.Conv1d(in_channels, in_channels, 1) if global_context else None
        self.a = nn.Conv1d(in_channels, inner, first, padding=first // 2)
        self.bn: nn.Module = nn.BatchNorm1d(inner)  # for inference there is none
        self.b = nn.Conv1d(inner, out_channels or in_channels, last, padding=last // 2, bias=False)
        nn.init.zeros_(self.b.weight)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """Frames [B*T, C, H, W] of clips of `length` = T frames -> alpha [B, C', T]."""
        alpha: Tensor = 1 + self.b(
            torch.relu(self.bn(self.a(_descriptors(frames, length, self.g))))
        )
        return alpha


class LinearCalibration(nn.Module):
    """The linear form of Table 3a: alpha = 1 + conv(v + map(g)), one convolution over time."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 3,
        global_context: bool = True,
    ) -> None:
        """Take C, the calibrated dimension C' and the odd kernel length."""
        super().__init__()
        (kernel,) = _odd((kernel,))
        self.g = nn.Conv1d(in_channels, in_channels, 1) if global_context else None
        self.b = nn.Conv1d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
        nn.init.zeros_(self.b.weight)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """Frames [B*T, C, H, W] of clips of `length` = T frames -> alpha [B, C', T]."""
        alpha: Tensor = 1 + self.b(_descriptors(frames, length, self.g))
        return alpha


def calibration_sizes(
    in_channels: int, out_channels: int, taps: int, calibrate: Calibrate
) -> tuple[int, ...]:
    """How many factors each calibrated dimension has: Ci, Co, both, or the kernel's taps.

    Raises ValueError on an unknown dimension.
    """
    sizes = {
        "in": (in_channels,),
        "out": (out_channels,),
        "in_out": (in_channels, out_channels),
        "kernel": (taps,),
    }
    if calibrate not in sizes:
        raise ValueError(f"calibrate must be one of {', '.join(sizes)}, not {calibrate!r}")
    return sizes[calibrate]


def calibrated(sizes: tuple[int, ...], calibrate: Calibrate, proportion: float) -> tuple[int, ...]:
    """How many of each dimension's factors are generated: a proportion of its channels (Fig. 3).

    At least one is. Raises ValueError on a proportion outside (0, 1], or of a kernel's taps.
    """
    if not 0 < proportion <= 1:
        raise ValueError(f"proportion must be above 0 and at most 1, not {proportion}")
    if proportion < 1 and calibrate == "kernel":
        raise ValueError(
            'proportion is a share of channels, which calibrate "kernel" does not have'
        )
    return tuple(max(1, round(proportion * size)) for size in sizes)


def calibration_route(
    in_channels: int,
    factors: int,
    *,
    reduction: int,
    kernels: Kernels,
    global_context: bool,
) -> nn.Module:
    """What generates `factors` calibration weights a frame: linear with one kernel, else Eq. 4."""
    if len(kernels) == 1:
        return LinearCalibration(
            in_channels, factors, kernel=kernels[0], global_context=global_context
        )
    return CalibrationWeights(
        in_channels, factors, reduction=reduction, kernels=kernels, global_context=global_context
    )


def complete(alpha: Tensor, made: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    """Put ones after the factors made: alpha [B, sum(made), T] -> [B, sum(sizes), T]."""
    if made == sizes:
        return alpha
    parts = zip(torch.split_with_sizes(alpha, made, 1), made, sizes, strict=True)
    return torch.cat([F.pad(part, (0, 0, 0, size - n), value=1.0) for part, n, size in parts], 1)


def _odd(kernels: tuple[int, ...]) -> tuple[int, ...]:
    """One or two odd kernel lengths as they are, which keep time's length; ValueError on others."""
    if len(kernels) not in (1, 2) or any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
        raise ValueError(
            f"kernels must be one or two odd lengths, so that time keeps its own, not {kernels}"
        )
    return tuple(kernels)


def _descriptors(frames: Tensor, length: int, context: nn.Module | None) -> Tensor:
    """Frame descriptors [B, C, T] of frames [B*T, C, H, W], with the clip's, mapped, where it counts."""
    local = to_clips(frames.mean((2, 3)), length).transpose(1, 2)
    if context is None:
        return local
    with_clip: Tensor = local + context(local.mean(2, keepdim=True))
    return with_clip
