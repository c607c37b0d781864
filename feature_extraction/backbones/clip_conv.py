"""Plain convolutions whose kernel reaches over neighbouring frames, on frames clip after clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.tadaconv.tadaconv import neighbours


class ClipConv(nn.Conv3d):
    """A convolution without bias over `taps` frames and a square of side `kernel`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        *,
        kernel: int = 3,
        taps: int = 3,
        time_stride: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            (taps, kernel, kernel),
            (time_stride, stride, stride),
            padding=(taps // 2, kernel // 2, kernel // 2),
            bias=False,
        )

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T', Co, H', W'].

        The frames around each are laid beside it as channels of one 2-D convolution: as fast as the
        3-D one, whose bfloat16 gradients oneDNN gets wrong on clips of two frames.
        """
        around = neighbours(frames, length, self.kernel_size[0], self.stride[0])
        return F.conv2d(
            around, self.weight.flatten(1, 2), self.bias, self.stride[1:], self.padding[1:]
        )


def lay_out(move: Callable[..., Any], module: nn.Module, *arguments: Any, **options: Any) -> Any:
    """`move` (a module's `to`) with a memory format given to 4-dimensional kernels alone.

    torch refuses channels_last for kernels over time, which have five dimensions.
    """
    memory_format = options.pop("memory_format", None)
    if memory_format is not None:
        for parameter in module.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.to(memory_format=memory_format)
    return move(*arguments, **options) if arguments or options else module
