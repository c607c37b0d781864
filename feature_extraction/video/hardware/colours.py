"""Decoded colours to RGB in torch, on whatever device they lie: exactly the numbers that FFmpeg's converter gives.

FFmpeg (swscale) turns 8-bit 4:2:0 into RGB with whole numbers: each product of a colour and a coefficient is cut to a
whole level, and each chroma sample stands for its four pixels. This does the same, so that a picture converted
on a GPU equals one that was converted on the CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor

BT709, UNSPECIFIED, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 1, 2, 4, 5, 6, 7, 9
FULL = 2  # FFmpeg's number of the full range
# Per matrix: what V adds to red, U to blue, and U and V take from green, in 65536ths, of limited range.
_BT601 = (104597, 132201, 25675, 53279)
_MATRICES = {
    BT709: (117489, 138438, 13975, 34925),
    FCC: (104448, 132798, 24759, 53109),
    BT470BG: _BT601,
    SMPTE170M: _BT601,
    SMPTE240M: (117579, 136230, 16907, 35559),
    BT2020: (110013, 140363, 12277, 42626),
}
_UNIT = 1 << 16  # what stands for 1 in a coefficient
_BITS = 13  # that are kept of what follows its point


def nv12_to_rgb(luma: Tensor, chroma: Tensor, *, space: int, full: bool) -> Tensor:
    """RGB uint8 [H, W, 3] of luma uint8 [H, W] and chroma uint8 [ceil(H / 2), ceil(W / 2), 2], on their device.

    `space`: FFmpeg's number of the matrix, of which those it does not know are BT.601; `full`: whether the levels
    run from 0 to 255.
    """
    from_luma, offset, red_v, blue_u, green_u, green_v = _coefficients(space, full=full)
    # in eighths of a level, of which a product's upper 16 bits are whole levels
    light = ((luma.to(torch.int32) - offset) * 8 * from_luma) >> 16
    u, v = ((chroma.to(torch.int32) - 128) * 8).unbind(-1)
    green = ((u * green_u) >> 16) + ((v * green_v) >> 16)
    parts = torch.stack([(v * red_v) >> 16, green, (u * blue_u) >> 16], -1)
    height, width = luma.shape
    wide = parts.repeat_interleave(2, 0).repeat_interleave(2, 1)[:height, :width]
    return (light[..., None] + wide).clamp_(0, 255).to(torch.uint8)


def _coefficients(space: int, *, full: bool) -> tuple[int, int, int, int, int, int]:
    """What luma is multiplied with, its offset, and V for red, U for blue, U and V for green; in 8192ths."""
    red, blue, green_u, green_v = _MATRICES.get(space, _BT601)
    luma = _UNIT if full else _UNIT * 255 // 219
    if full:
        red, blue, green_u, green_v = (part * 224 // 255 for part in (red, blue, green_u, green_v))
    luma, red, blue, green_u, green_v = map(_rounded, (luma, red, blue, -green_u, -green_v))
    return luma, 0 if full else 16, red, blue, green_u, green_v


def _rounded(part: int) -> int:
    return ((part << _BITS) + (1 << 15)) >> 16
