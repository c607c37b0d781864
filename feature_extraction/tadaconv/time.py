"""TAdaConv for kernels that reach over time: 3-D ones, and the temporal ones of R(2+1)D (Table 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from feature_extraction.tadaconv.generation import (
    Calibrate,
    calibrated,
    calibration_route,
    calibration_sizes,
    complete,
)
from feature_extraction.tadaconv.tadaconv import tadaconv3d_frames, to_frames, to_video

Triple = tuple[int, int, int]


class TAdaConv3d(nn.Module):
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
        kernels: tuple[int] | tuple[int, int] = (3, 3),
        global_context: bool = True,
    ) -> None:
        """Take the sizes of an `nn.Conv3d` and the options of `TAdaConv2d`.

        Raises ValueError on an even kernel length over time or a padding over time that is not half
        of it, with which no frame would stand at the kernel's centre.
        """
        super().__init__()
        size, stride, padding = _triple(kernel_size), _triple(stride), _triple(padding)
        if size[0] % 2 == 0 or padding[0] != size[0] // 2:
            raise ValueError(
                f"over time the kernel must be odd and the padding half of it: not a kernel of "
                f"{size[0]} with padding {padding[0]}"
            )
        self.time_stride, self.stride, self.padding = stride[0], stride[1:], padding[1:]
        self.calibrate = calibrate
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        taps = size[0] * size[1] * size[2]
        self.sizes = calibration_sizes(in_channels, out_channels, taps, calibrate)
        self.made = calibrated(self.sizes, calibrate, proportion)
        self.route = calibration_route(
            in_channels,
            sum(self.made),
            reduction=reduction,
            kernels=kernels,
            global_context=global_context,
        )

    def forward_frames(self, frames: Tensor, length: int, alpha: Tensor | None = None) -> Tensor:
        """Frames [B*T, Ci, H, W] of clips of `length` = T frames -> [B*T', Co, H', W']."""
        if alpha is None:
            alpha = complete(self.route(frames, length), self.made, self.sizes)
        return tadaconv3d_frames(
            frames,
            length,
            self.weight,
            alpha,
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
        kernels: tuple[int] | tuple[int, int] = (3, 3),
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


def _triple(value: int | Triple) -> Triple:
    return (value, value, value) if isinstance(value, int) else tuple(value)
