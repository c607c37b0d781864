"""TAdaConv as modules: drop-ins for convolutions in video, 2-D, 3-D, and temporal ones (Table 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from feature_extraction.tadaconv.generation import (
    Calibrate,
    Kernels,
    calibrated,
    calibration_route,
    calibration_sizes,
    complete,
)
from feature_extraction.tadaconv.layout import Pair, Triple, pair, to_frames, to_video, triple
from feature_extraction.tadaconv.operation import tadaconv2d_frames, tadaconv3d_frames


class CalibratedConv(nn.Module):
    """What the modules here have in common: weight [Co, Ci, *size], bias, and the calibration's route."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, ...],
        *,
        bias: bool,
        calibrate: Calibrate,
        proportion: float,
        reduction: int,
        kernels: Kernels,
        global_context: bool,
    ) -> None:
        super().__init__()
        self.calibrate: Calibrate = calibrate
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        taps = self.weight[0, 0].numel()
        self.sizes = calibration_sizes(in_channels, out_channels, taps, calibrate)
        self.made = calibrated(self.sizes, calibrate, proportion)
        self.route = calibration_route(
            in_channels,
            sum(self.made),
            reduction=reduction,
            kernels=kernels,
            global_context=global_context,
        )

    def generate(self, frames: Tensor, length: int) -> Tensor:
        """Calibration weights [B, ., T] of frames [B*T, Ci, H, W]; ones where none are made."""
        return complete(self.route(frames, length), self.made, self.sizes)


class TAdaConv2d(CalibratedConv):
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
        kernel_size: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = False,
        calibrate: Calibrate = "in",
        proportion: float = 1.0,
        reduction: int = 4,
        kernels: Kernels = (3, 3),
        global_context: bool = True,
    ) -> None:
        """Take the convolution's sizes and how its calibration weights are made.

        calibrate: which dimension of the kernel has a factor a frame, "in", "out", "in_out" or
        "kernel" (Table 4); proportion: of its channels, the first of them (Fig. 3); reduction,
        kernels: the ratio r and the kernel lengths of Eq. 4, or one length for the linear form;
        global_context: whether the clip descriptor is added (Table 3a).
        Raises ValueError on a value outside these, or on even `kernels`.
        """
        super().__init__(
            in_channels,
            out_channels,
            pair(kernel_size),
            bias=bias,
            calibrate=calibrate,
            proportion=proportion,
            reduction=reduction,
            kernels=kernels,
            global_context=global_context,
        )
        self.stride, self.padding = stride, padding

    def forward_frames(self, frames: Tensor, length: int, alpha: Tensor | None = None) -> Tensor:
        """Frames [B*T, Ci, H, W] of clips of `length` = T frames -> [B*T, Co, H', W']."""
        return tadaconv2d_frames(
            frames,
            self.weight,
            self.generate(frames, length) if alpha is None else alpha,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            calibrate=self.calibrate,
        )

    def forward(self, video: Tensor, alpha: Tensor | None = None) -> Tensor:
        """Video [B, Ci, T, H, W] -> [B, Co, T, H', W']; `alpha` [B, Ci, T] (or as calibrated) replaces ours."""
        length = video.shape[2]
        return to_video(self.forward_frames(to_frames(video), length, alpha), length)


class TAdaConv3d(CalibratedConv):
    """A 3-D convolution calibrated frame by frame: a drop-in for `nn.Conv3d`, of its weight's shape.

    The kernel centred on frame t, all its taps over time, is multiplied by the weights of frame t.
    Called on a video [B, Ci, T, H, W] it gives [B, Co, T', H', W']. At the start, and wherever its
    calibration weights are one, it is the plain convolution with the same `weight`.

        conv = TAdaConv3d(64, 64, 3, padding=1)
        output = conv(torch.randn(2, 64, 8, 56, 56))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Triple,
        *,
        stride: int | Triple = 1,
        padding: int | Triple = 0,
        bias: bool = False,
        calibrate: Calibrate = "in",
        proportion: float = 1.0,
        reduction: int = 4,
        kernels: Kernels = (3, 3),
        global_context: bool = True,
    ) -> None:
        """Take the sizes of an `nn.Conv3d` and the options of `TAdaConv2d`.

        Raises ValueError on an even kernel length over time or a padding over time that is not half
        of it, with which no frame would stand at the kernel's centre.
        """
        size, strides, paddings = triple(kernel_size), triple(stride), triple(padding)
        _require_a_middle(size[0], paddings[0])
        super().__init__(
            in_channels,
            out_channels,
            size,
            bias=bias,
            calibrate=calibrate,
            proportion=proportion,
            reduction=reduction,
            kernels=kernels,
            global_context=global_context,
        )
        self.time_stride, self.stride, self.padding = strides[0], strides[1:], paddings[1:]

    def forward_frames(self, frames: Tensor, length: int, alpha: Tensor | None = None) -> Tensor:
        """Frames [B*T, Ci, H, W] of clips of `length` = T frames -> [B*T', Co, H', W']."""
        return tadaconv3d_frames(
            frames,
            length,
            self.weight,
            self.generate(frames, length) if alpha is None else alpha,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            calibrate=self.calibrate,
            time_stride=self.time_stride,
        )

    def forward(self, video: Tensor, alpha: Tensor | None = None) -> Tensor:
        """Video [B, Ci, T, H, W] -> [B, Co, T', H', W']; `alpha` [B, Ci, T] replaces ours."""
        length = video.shape[2]
        output = self.forward_frames(to_frames(video), length, alpha)
        return to_video(output, -(-length // self.time_stride))


class TAdaConv1d(TAdaConv3d):
    """A temporal convolution calibrated frame by frame: `TAdaConv3d` with a kt x 1 x 1 kernel.

    The options are those of `TAdaConv2d`.

        conv = TAdaConv1d(64, 64, 3, padding=1)
        output = conv(torch.randn(2, 64, 8, 56, 56))    # the same size; weight [64, 64, 3, 1, 1]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
        calibrate: Calibrate = "in",
        proportion: float = 1.0,
        reduction: int = 4,
        kernels: Kernels = (3, 3),
        global_context: bool = True,
    ) -> None:
        """Take the kernel's length, stride and padding over time and the options of `TAdaConv2d`."""
        super().__init__(
            in_channels,
            out_channels,
            (kernel_size, 1, 1),
            stride=(stride, 1, 1),
            padding=(padding, 0, 0),
            bias=bias,
            calibrate=calibrate,
            proportion=proportion,
            reduction=reduction,
            kernels=kernels,
            global_context=global_context,
        )


def _require_a_middle(taps: int, padding: int) -> None:
    if taps % 2 == 0 or padding != taps // 2:
        raise ValueError(
            f"over time the kernel must be odd and the padding half of it: not a kernel of "
            f"{taps} with padding {padding}"
        )
