"""The one-stage detector of Zhang, Wu and Li (ActionFormer, ECCV 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actionformer.blocks import Backbone, Block, Head, Neck
from actionformer.errors import ActionFormerError
from actionformer.layers import position_code
from actionformer.points import Array, as_tensor

RANGES = ((0.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 32.0), (32.0, 64.0), (64.0, 10000.0))


class Level(NamedTuple):
    """What the heads say at every point of a level.

    logits [B, T, classes]; offsets [B, T, 2]: distances to start and end in strides, at least 0;
    mask [B, T] bool: False is padding, where logits and offsets are 0.
    """

    logits: Tensor
    offsets: Tensor
    mask: Tensor


class ActionFormer(nn.Module):
    """Features of a video -> at every point of every level class logits and distances to both ends.

    channels: channels of the features
    classes: number of classes
    width: channels of embedding, blocks and neck
    head_width: channels of the heads' layers; None: `width`
    heads: heads of the attention
    levels: levels of the pyramid; level l has stride 2^l
    window: how many positions a query sees (odd), one number or one per level; 1 or less: all of them
    max_length: the longest training input; `pad_batch` pads to it.
    embedding_layers, stem_layers, head_layers: how many. kernel, head_kernel: width of the
        embedding's and heads' convolutions, odd.
    position_code: adds sines and cosines. relative_position: learns a bias for each distance in the window.
    dropout: probability in the blocks
    drop_path: how often training leaves a residual branch out; 0: no learnt scale of it either.
    prior: the probability the class logits start with; empty_classes: those that start at 1e-6.
    ranges: least and longest distance to an end that a level learns, in positions of the input.
    activation_checkpointing: computes the blocks again in the backward pass, which saves memory.

    Call it on features [B, channels, T] and their mask [B, T] as `pad_batch` gives them; gives a
    Level each. The defaults are THUMOS14's. Raises ActionFormerError for sizes that do not fit.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        width: int = 512,
        head_width: int | None = None,
        heads: int = 4,
        levels: int = 6,
        window: int | Sequence[int] = 19,
        max_length: int = 2304,
        embedding_layers: int = 2,
        stem_layers: int = 2,
        head_layers: int = 3,
        kernel: int = 3,
        head_kernel: int = 3,
        position_code: bool = False,
        relative_position: bool = False,
        dropout: float = 0.0,
        drop_path: float = 0.1,
        prior: float = 0.01,
        empty_classes: Sequence[int] = (),
        ranges: Sequence[Sequence[float]] | None = None,
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.classes, self.width = channels, classes, width
        self.max_length, self.position_code = max_length, position_code
        self.strides, self.windows, self.ranges = _levels(levels, window, ranges)
        self.margin = max(kernel, head_kernel, 3) // 2  # how far convolutions look into the padding
        self._check(heads, (kernel, head_kernel), (embedding_layers, stem_layers, head_layers))
        block = partial(Block, width, heads, rates=(dropout, drop_path), relative=relative_position)
        widths = [channels] + [width] * embedding_layers
        self.backbone = Backbone(widths, kernel, self.windows, stem_layers, block)
        self.backbone.checkpoints, self.neck = activation_checkpointing, Neck(width, levels)
        widths = [width] + [head_width or width] * (head_layers - 1)
        self.cls_head = Head([*widths, classes], head_kernel, "cls_head")
        self.reg_head = Head([*widths, 2], head_kernel, "offset_head", levels)
        self.cls_head.start(prior, empty_classes)

    def _check(self, heads: int, kernels: Sequence[int], layers: Sequence[int]) -> None:
        wrong = {
            f"heads {heads} must divide width {self.width}": self.width % heads,
            f"kernels {kernels} must be odd": not all(kernel % 2 for kernel in kernels),
            f"max_length {self.max_length} must be a multiple of the largest stride, "
            f"{self.strides[-1]}": self.max_length % self.strides[-1],
            f"embedding, stem and head layers {layers} must be 1 or more, of the stem 0": (
                min(layers[0], layers[1] + 1, layers[2]) < 1
            ),
        }
        _refuse(wrong)

    def forward(self, batch: Tensor, mask: Tensor) -> list[Level]:
        """batch [B, channels, T], mask [B, T] (True: the video) -> a Level each, T / stride points.

        Raises ActionFormerError for other shapes, and for a T that the largest stride does not divide.
        """
        masks, levels = self._pyramid(batch, mask)
        gap = self.margin  # zeros after every level: one convolution goes over all of them
        joined = torch.cat([F.pad(level, (0, 0, 0, gap)) for level in self.neck(levels)], 1)
        del levels  # large, and not needed by what follows
        shown = torch.cat([F.pad(shown, (0, gap)) for shown in masks], 1).unsqueeze(2)
        inside = torch.cat([F.pad(one.new_ones(one.shape[1]), (0, gap)) for one in masks])
        outputs = (
            head(joined, shown, inside.unsqueeze(1)).split([one.shape[1] + gap for one in masks], 1)
            for head in (self.cls_head, self.reg_head)
        )
        found = []
        for stride, scale, logits, distances in zip(
            self.strides, self.reg_head.scale, *outputs, strict=True
        ):
            level = mask[:, ::stride].bool()
            behind = (0, 0, 0, level.shape[1] - logits.shape[1])  # the gap, or the padding not read
            found.append(
                Level(F.pad(logits, behind), F.pad(scale(distances).relu(), behind), level)
            )
        return found

    def features(self, batch: Tensor, mask: Tensor, *, normed: bool = True) -> list[Tensor]:
        """What the heads are given, [B, width, T / stride] a level; normed=False: before the neck."""
        levels = self._pyramid(batch, mask)[1]
        lengths = (batch.shape[2] // stride for stride in self.strides)
        whole = [  # what is after it is as the last position: padding
            torch.cat([level, level[:, -1:].expand(-1, length - level.shape[1], -1)], 1)
            for level, length in zip(levels, lengths, strict=True)
        ]
        return [level.transpose(1, 2) for level in (self.neck(whole) if normed else whole)]

    def _pyramid(self, batch: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Masks [B, T_l] and levels [B, T_l, width], without the padding that nothing reads.

        Behind a video's end every layer's output is one constant; a valid position reads `margin`
        of it, so that this much is kept on the coarsest level, where there is as much.
        """
        largest, length = self.strides[-1], batch.shape[-1]
        if batch.shape != (len(batch), self.channels, length) or mask.shape != batch[:, 0].shape:
            raise ActionFormerError(
                f"batch {list(batch.shape)} and mask {list(mask.shape)} must be "
                f"[B, {self.channels}, T] and [B, T]"
            )
        if not length or length % largest:
            raise ActionFormerError(
                f"length {length} must be a multiple of {largest}, the largest stride: see pad_batch"
            )
        mask = mask.bool()
        end = int((mask.any(0) * torch.arange(1, length + 1, device=mask.device)).max())
        kept = min(length, (-(-end // largest) + self.margin) * largest)
        code = None
        if self.position_code:
            code = position_code(length, self.width, self.max_length)[:kept]
        masks = [mask[:, :kept:stride] for stride in self.strides]
        return masks, self.backbone(batch[:, :, :kept].transpose(1, 2), code, masks)


def _levels(
    count: int, window: int | Sequence[int], ranges: Sequence[Sequence[float]] | None
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[float, float], ...]]:
    """Strides, windows and ranges, one per level."""
    windows = (window,) * count if isinstance(window, int) else tuple(window)
    limits = tuple((float(low), float(high)) for low, high in ranges or RANGES[:count])
    _refuse(
        {
            f"window has {len(windows)} values for {count} levels; give one per level": len(windows)
            != count,
            f"ranges has {len(limits)} values for {count} levels; give one per level": len(limits)
            != count,
            f"windows {windows} must be odd, or 1 or less": any(
                one > 1 and one % 2 == 0 for one in windows
            ),
        }
    )
    return tuple(2**level for level in range(count)), windows, limits


def _refuse(wrong: dict[str, int]) -> None:
    for message, holds in wrong.items():
        if holds:
            raise ActionFormerError(message)


def pad_batch(model: ActionFormer, features: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """Videos' features [channels, T_i] -> batch [B, channels, T] and mask [B, T], zeros behind each end.

    Both on the model's device, the batch in the type of its weights.

    T is the model's max_length. In eval mode a longer video is padded to a multiple of the largest
    stride x 2 x (window // 2), as the public code does. Raises ActionFormerError for other shapes,
    and in training mode for a video longer than max_length.
    """
    for number, video in enumerate(features):
        if video.ndim != 2 or video.shape[0] != model.channels or not video.shape[1]:
            raise ActionFormerError(
                f"features {number} have shape {list(video.shape)}, not [{model.channels}, T]"
            )
    if not features:
        raise ActionFormerError("no features: give a batch of at least one video")
    longest = max(video.shape[1] for video in features)
    if longest > model.max_length:
        if model.training:
            raise ActionFormerError(
                f"features of length {longest} in training: at most {model.max_length} is allowed (max_length)"
            )
        steps = (
            stride * max(1, window // 2 * 2)
            for stride, window in zip(model.strides, model.windows, strict=True)
        )
        step = math.lcm(max(steps), model.strides[-1])
        longest = -(-longest // step) * step
    length = max(longest, model.max_length)
    weights = next(model.parameters())
    rows = [as_tensor(video).to(weights) for video in features]
    batch = torch.stack([F.pad(video, (0, length - video.shape[1])) for video in rows])
    ends = torch.tensor([video.shape[1] for video in features], device=batch.device)
    return batch, torch.arange(length, device=batch.device) < ends.unsqueeze(1)
