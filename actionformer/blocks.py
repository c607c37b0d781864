"""The network's parts on [B, T, C], each holding its parameters under the public names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from actionformer.attention import Attention, Reach, reach
from actionformer.layers import Conv, DropPath, Norm, Pointwise, halved


class Block(nn.Module):
    """A transformer block (Eqs. 2 to 4): attention, then an MLP, each beside a skip path.

    With stride 2 the attention halves the length, and its skip path is max pooling.
    rates: of dropout and of drop path.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        window: int,
        *,
        stride: int = 1,
        rates: tuple[float, float] = (0.0, 0.1),
        relative: bool = False,
    ) -> None:
        super().__init__()
        dropout, drop_path = rates
        self.pools, self.drops = stride > 1, drop_path > 0
        self.ln1, self.ln2 = Norm(width), Norm(width)
        options = {"stride": stride, "relative": relative and window > 1}
        self.attn = Attention(width, heads, window, dropout=dropout, **options)
        widen, narrow = Pointwise(width, 4 * width), Pointwise(4 * width, width)
        self.mlp = nn.Sequential(widen, nn.GELU(), nn.Dropout(dropout), narrow, nn.Dropout(dropout))
        if self.drops:  # without drop path there is no learnt scale either
            self.drop_path_attn = DropPath(width, drop_path)
            self.drop_path_mlp = DropPath(width, drop_path)

    def forward(self, x: Tensor, hidden: Tensor, seen: Reach) -> Tensor:
        """x [B, T, C]; hidden [B, T', 1] and Reach of the output -> [B, T', C], zero at padding."""
        skip = (halved(x) if self.pools else x).masked_fill(hidden, 0.0)
        made = self.attn(self.ln1(x), hidden, seen)
        x = self.drop_path_attn(skip, made) if self.drops else skip + made
        made = self.mlp(self.ln2(x)).masked_fill(hidden, 0.0)
        return self.drop_path_mlp(x, made) if self.drops else x + made


class Backbone(nn.Module):
    """Embedding convolutions, blocks at full length (`stem`), blocks that halve it (`branch`)."""

    def __init__(
        self, widths: list[int], kernel: int, stem: list[Block], branch: list[Block]
    ) -> None:
        super().__init__()
        self.embd = nn.ModuleList(Conv(*ends, kernel) for ends in pairwise(widths))
        self.embd_norm = nn.ModuleList(Norm(width) for width in widths[1:])
        self.stem, self.branch = nn.ModuleList(stem), nn.ModuleList(branch)

    def forward(
        self, x: Tensor, code: Tensor | None, masks: list[Tensor], windows: tuple[int, ...]
    ) -> list[Tensor]:
        """x [B, T, in], code [T, C], a mask [B, T_l] and window a level -> levels [B, T_l, C]."""
        hidden = ~masks[0].unsqueeze(2)
        for conv, norm in zip(self.embd, self.embd_norm, strict=True):
            x = norm(conv(x, hidden)).relu()
        if code is not None:
            x = x + code.to(x).masked_fill(hidden, 0.0)
        seen = reach(masks[0], windows[0])
        for block in self.stem:
            x = block(x, hidden, seen)
        levels = [x]
        for block, mask, window in zip(self.branch, masks[1:], windows[1:], strict=True):
            levels.append(block(levels[-1], ~mask.unsqueeze(2), reach(mask, window)))
        return levels


class Neck(nn.Module):
    """A layer norm a level."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.fpn_norms = nn.ModuleList(Norm(width) for _ in range(levels))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels [B, T_l, C] -> the same shapes."""
        return [norm(level) for norm, level in zip(self.fpn_norms, levels, strict=True)]


class Head(nn.Module):
    """Convolutions with norm and ReLU, and a last one, named `name`, with a bias."""

    def __init__(self, widths: list[int], kernel: int, name: str) -> None:
        super().__init__()
        self.head = nn.ModuleList(Conv(*ends, kernel) for ends in pairwise(widths[:-1]))
        self.norm = nn.ModuleList(Norm(width) for width in widths[1:-1])
        self.last = name
        self.add_module(name, Conv(widths[-2], widths[-1], kernel, bias=True))

    def start(self, prior: float, empty: Sequence[int]) -> None:
        """Class logits begin at the probability `prior`; those of `empty` classes at 1e-6."""
        bias = self.get_parameter(f"{self.last}.conv.bias")
        with torch.no_grad():
            bias.fill_(-math.log((1 - prior) / prior))
            bias[list(empty)] = -13.8

    def forward(self, x: Tensor, hidden: Tensor, gaps: Tensor) -> Tensor:
        """x [B, T, C] -> [B, T, out], zero at hidden [B, T, 1]; gaps [T, 1] stay zeros within."""
        for conv, norm in zip(self.head, self.norm, strict=True):
            x = norm(conv(x, hidden)).relu().masked_fill(gaps, 0.0)
        made: Tensor = getattr(self, self.last)(x, hidden)
        return made


class OffsetHead(Head):
    """The head of the distances, with a learnt factor a level (`Scale`)."""

    def __init__(self, widths: list[int], kernel: int, name: str, levels: int) -> None:
        super().__init__(widths, kernel, name)
        self.scale = nn.ModuleList(Scale() for _ in range(levels))


class Scale(nn.Module):
    """A learnt factor."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale
