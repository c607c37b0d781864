"""The network's parts on [B, T, C], holding their parameters under the public names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from actionformer.attention import Attention, Reach, reach
from actionformer.errors import ActionFormerError
from actionformer.layers import Conv, DropPath, Norm, Pointwise, Scale, halved

ROWS = 1024  # that go through an MLP at a time where nothing is learnt: its hidden layer is wide


class Block(nn.Module):
    """A transformer block (Eqs. 2 to 4): attention, then an MLP, each beside a skip path.

    With stride 2 the attention halves the length, and its skip path is max pooling.
    rates: of dropout and of drop path; without drop path there is no learnt scale either.
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
        (dropout, drop_path), self.pools = rates, stride > 1
        self.ln1, self.ln2 = Norm(width), Norm(width)
        self.attn = Attention(
            width, heads, window, stride=stride, dropout=dropout, relative=relative and window > 1
        )
        widen, narrow = Pointwise(width, 4 * width), Pointwise(4 * width, width)
        self.mlp = nn.Sequential(widen, nn.GELU(), nn.Dropout(dropout), narrow, nn.Dropout(dropout))
        self.drops = drop_path > 0
        if self.drops:
            self.drop_path_attn = DropPath(width, drop_path)
            self.drop_path_mlp = DropPath(width, drop_path)

    def forward(self, x: Tensor, shown: Tensor, seen: Reach) -> Tensor:
        """x [B, T, C]; shown [B, T', 1] and Reach of the output -> [B, T', C], zero at padding."""
        made = self.attn(self.ln1(x), shown, seen)
        skip = (halved(x) if self.pools else x) * shown
        x = self.drop_path_attn(skip, made) if self.drops else skip + made
        made = self.ln2(x)
        if torch.is_grad_enabled():
            made = self.mlp(made)
        else:
            parts = [self.mlp(rows) for rows in made.flatten(0, 1).split(ROWS)]
            made = torch.cat(parts).view_as(made)
        made = made.mul_(shown)
        x = self.drop_path_mlp(x, made) if self.drops else x + made
        return x


class Backbone(nn.Module):
    """Embedding convolutions, blocks at full length (`stem`), blocks that halve it (`branch`)."""

    def __init__(
        self,
        widths: list[int],
        kernel: int,
        windows: tuple[int, ...],
        stem_layers: int,
        block: Callable[..., Block],
    ) -> None:
        """block: makes a Block of a window and a stride. windows: of the attention, one per level."""
        super().__init__()
        self.embd = nn.ModuleList(Conv(*ends, kernel) for ends in pairwise(widths))
        self.embd_norm = nn.ModuleList(Norm(width) for width in widths[1:])
        self.stem = nn.ModuleList(block(windows[0]) for _ in range(stem_layers))
        self.branch = nn.ModuleList(block(window, stride=2) for window in windows[1:])
        self.windows, self.checkpoints = windows, False

    def forward(self, x: Tensor, code: Tensor | None, masks: list[Tensor]) -> list[Tensor]:
        """x [B, T, in], code [T, C] and a mask [B, T_l] a level -> levels [B, T_l, C]."""
        shown = masks[0].unsqueeze(2)
        for conv, norm in zip(self.embd, self.embd_norm, strict=True):
            x = norm(conv(x, shown)).relu_()
        if code is not None:
            x = x + code.to(x) * shown
        levels, seen = [], reach(masks[0], self.windows[0])
        for block in self.stem:
            x = self._block(block, x, shown, seen)
        levels.append(x)
        for block, mask, window in zip(self.branch, masks[1:], self.windows[1:], strict=True):
            x = self._block(block, x, mask.unsqueeze(2), reach(mask, window))
            levels.append(x)
        return levels

    def _block(self, block: nn.Module, *given: Tensor | Reach) -> Tensor:
        recompute = self.checkpoints and torch.is_grad_enabled()
        made: Tensor = (
            checkpoint(block, *given, use_reentrant=False) if recompute else block(*given)
        )
        return made


class Neck(nn.Module):
    """A layer norm per level."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.fpn_norms = nn.ModuleList(Norm(width) for _ in range(levels))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels [B, T_l, C] -> the same shapes."""
        return [norm(level) for norm, level in zip(self.fpn_norms, levels, strict=True)]


class Head(nn.Module):
    """Convolutions with norm and ReLU, and a last one, called `name`, with a bias.

    scales: how many learnt factors it holds, one per level.
    """

    def __init__(self, widths: list[int], kernel: int, name: str, scales: int = 0) -> None:
        super().__init__()
        self.head = nn.ModuleList(Conv(*ends, kernel) for ends in pairwise(widths[:-1]))
        self.norm = nn.ModuleList(Norm(width) for width in widths[1:-1])
        self.add_module(name, Conv(widths[-2], widths[-1], kernel, bias=True))
        self.last, self.scale = name, nn.ModuleList(Scale() for _ in range(scales))

    def start(self, prior: float, empty: Sequence[int]) -> None:
        """The outputs begin at the probability `prior`, those of `empty` at 1e-6. Raises ActionFormerError."""
        bias = self.get_parameter(f"{self.last}.conv.bias").data
        if outside := [one for one in empty if not 0 <= one < len(bias)]:
            raise ActionFormerError(f"empty_classes {outside} are none of {len(bias)} classes")
        bias.fill_(-math.log((1 - prior) / prior))
        bias[list(empty)] = -13.8

    def forward(self, x: Tensor, shown: Tensor, inside: Tensor) -> Tensor:
        """x [B, T, C] -> [B, T, out], zero where not shown [B, T, 1]; gaps of inside [T, 1] stay 0."""
        for conv, norm in zip(self.head, self.norm, strict=True):
            x = norm(conv(x, shown)).mul_(inside).relu_()
        made: Tensor = self.get_submodule(self.last)(x, shown)
        return made
