"""Multi-head attention within a window around each position, or over all of them (Section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actionformer.layers import Conv, Norm, Pointwise

NAMES = ("query", "key", "value")


class Reach(NamedTuple):
    """Which keys the queries of a level see, made once per level.

    The positions are cut into blocks of `size`; a block sees itself and `side` positions left and
    right of it, [blocks, size + 2 side] keys. allowed: [B x blocks, 1, size, size + 2 side] bool.
    Of full attention there is one block: `size` 0, allowed [B, 1, 1, T].
    """

    size: int
    side: int
    allowed: Tensor


def reach(mask: Tensor, window: int) -> Reach:
    """mask [B, T] bool (False: padding) and window -> the Reach. A window of 1 or less is full.

    Padded keys are not seen. A padded query sees padding, so that no softmax is over nothing; what it
    gives is masked later.
    """
    if window <= 1:
        keys = mask | ~mask.any(1, keepdim=True)
        return Reach(0, 0, keys[:, None, None])
    side = window // 2
    size = max(32, -(-3 * window // 16) * 16) - 2 * side  # keys of a block: a multiple of 16
    blocks = _blocks(mask.unsqueeze(2), size)
    keys, queries = _with_sides(blocks, side).transpose(2, 3), blocks
    place = torch.arange(size + 2 * side, device=mask.device)
    near = (place - place[:size, None] - side).abs() <= side
    return Reach(size, side, (near & (keys | ~queries)).flatten(0, 1).unsqueeze(1))


class Attention(nn.Module):
    """Query, key and value: each a depthwise convolution (its stride halves the level), norm, 1x1.

    relative: adds a learnt number for each distance within the window, by head.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        window: int,
        *,
        stride: int = 1,
        dropout: float = 0.0,
        relative: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.dropout, self.relative = heads, dropout, relative
        for name in NAMES:
            self.add_module(f"{name}_conv", Conv(width, width, 3, stride=stride, groups=width))
            self.add_module(f"{name}_norm", Norm(width))
            self.add_module(name, Pointwise(width, width))
        self.proj = Pointwise(width, width)
        if relative:
            self.rel_pe = nn.Parameter(torch.empty(1, 1, heads, window))
            nn.init.trunc_normal_(self.rel_pe, std=(2.0 / width) ** 0.5)

    def forward(self, x: Tensor, shown: Tensor, seen: Reach) -> Tensor:
        """x [B, T, C], shown [B, T', 1] and Reach of the output -> [B, T', C], zero at padding."""
        batch, length, width = len(x), shown.shape[1], x.shape[2]
        made = F.scaled_dot_product_attention(
            self._project("query", x, shown, seen.size),
            self._project("key", x, shown, seen.size, seen.side),
            self._project("value", x, shown, seen.size, seen.side),
            attn_mask=self._scores(seen, x.dtype) if self.relative else seen.allowed,
            dropout_p=self.dropout if self.training else 0.0,
        )
        rows = length + (-length % seen.size if seen.size else 0)
        made = made.transpose(1, 2).reshape(batch, rows, width)[:, :length]
        return F.dropout(self.proj(made), self.dropout, self.training).mul_(shown)

    def _project(self, name: str, x: Tensor, shown: Tensor, size: int, side: int = 0) -> Tensor:
        """[B, T, C] -> [B x blocks, heads, size + 2 side, C / heads]."""
        conv, norm, last = map(self.get_submodule, (f"{name}_conv", f"{name}_norm", name))
        made: Tensor = last(norm(conv(x, shown)))
        if size:
            made = _with_sides(_blocks(made, size), side).flatten(0, 1)
        shape = (*made.shape[:2], self.heads, made.shape[2] // self.heads)
        return made.view(shape).transpose(1, 2)

    def _scores(self, seen: Reach, dtype: torch.dtype) -> Tensor:
        """What is added to the scores: minus infinity, or the learnt number of that distance."""
        place = torch.arange(seen.size + 2 * seen.side, device=seen.allowed.device)
        distance = (place - place[: seen.size, None]).clamp(0, 2 * seen.side)
        return torch.where(seen.allowed, self.rel_pe[0, 0][:, distance].to(dtype), -torch.inf)


def _blocks(x: Tensor, size: int) -> Tensor:
    """[B, T, C] -> [B, ceil(T / size), size, C]; zeros fill the last block."""
    padded = F.pad(x, (0, 0, 0, -x.shape[1] % size))
    return padded.view(len(x), padded.shape[1] // size, size, x.shape[2])


def _with_sides(blocks: Tensor, side: int) -> Tensor:
    """Blocks [B, N, size, C] -> [B, N, size + 2 side, C], each with its neighbours' positions."""
    if not side:
        return blocks
    around = F.pad(blocks, (0, 0, 0, 0, 1, 1))
    return torch.cat((around[:, :-2, -side:], blocks, around[:, 2:, :side]), 2)
