"""The 2-D convolution that everything here uses: torch's, gone round where that writes beyond its memory.

The gradient of the weight of a 1x1 convolution with a stride, of fewer than 16 input channels that
lie last in memory (channels_last), is computed by oneDNN (in torch 2.15) in a buffer made for the
channels there are, but filled 16 at a time on processors with AVX-512, 8 with AVX2. That ends the
process, or changes what comes after.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from feature_extraction.tadaconv.layout import pair

_FILLED_AT_ONCE = 16  # channels


def conv2d(
    frames: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
) -> Tensor:
    """Convolve frames [N, Ci, H, W] with weight [Co, Ci, kh, kw]; as `torch.nn.functional.conv2d`.

    Where that is not safe, the same pixels are taken first and convolved without a stride.
    """
    if _is_unsafe(frames, weight, pair(stride), pair(padding)):
        down, across = pair(stride)
        return F.conv2d(frames[:, :, ::down, ::across], weight, bias)
    return F.conv2d(frames, weight, bias, stride, padding)


def _is_unsafe(
    frames: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> bool:
    return (
        weight.shape[1] < _FILLED_AT_ONCE
        and weight.shape[2:] == (1, 1)
        and stride != (1, 1)
        and padding == (0, 0)
        and frames.device.type == "cpu"
        and torch.is_grad_enabled()
        and weight.requires_grad
    )
