"""Plain convolutions whose kernel reaches over neighbouring frames, on frames clip after clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from feature_extraction.backbones.tadaconv import to_frames, to_video


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
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T', Co, H', W']."""
        return to_frames(self(to_video(frames, length)))


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
