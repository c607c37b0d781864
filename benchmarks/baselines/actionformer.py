"""The baseline of ActionFormer: sliding chunks, layer norm written out, level after level."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actionformer import ActionFormer, Level
from actionformer.attention import Attention
from actionformer.blocks import Block, Head
from actionformer.layers import Conv, DropPath, Norm


class BaselineActionFormer(nn.Module):
    """An ActionFormer of ours as the plain formulas say it, on [B, C, T], with its weights."""

    def __init__(self, model: ActionFormer) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)

    def forward(self, batch: Tensor, mask: Tensor) -> list[Level]:
        """batch [B, C, T], mask [B, T] -> a Level each."""
        model, x, mask = self.model, batch, mask.unsqueeze(1)
        backbone = model.backbone
        for conv, norm in zip(backbone.embd, backbone.embd_norm, strict=True):
            x = F.relu(layer_norm(norm, masked_conv(conv, x, mask)[0]))
        for block in backbone.stem:
            x, mask = transformer_block(block, x, mask, model.windows[0])
        levels, masks = [x], [mask]
        for block, window in zip(backbone.branch, model.windows[1:], strict=True):
            x, mask = transformer_block(block, x, mask, window)
            levels.append(x)
            masks.append(mask)
        levels = [layer_norm(*pair) for pair in zip(model.neck.fpn_norms, levels, strict=True)]
        pairs = list(zip(levels, masks, strict=True))
        logits = [head(model.cls_head, level, mask) for level, mask in pairs]
        offsets = [head(model.reg_head, level, mask) for level, mask in pairs]
        return [
            Level(one.transpose(1, 2), F.relu(scale(two)).transpose(1, 2), mask.squeeze(1))
            for one, two, scale, mask in zip(
                logits, offsets, model.reg_head.scale, masks, strict=True
            )
        ]


def masked_conv(conv: Conv, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A convolution of [B, C, T] times the mask [B, 1, T], and the mask at its stride."""
    made, shown = conv.conv(x), mask.to(x.dtype)
    if conv.conv.stride[0] > 1:
        shown = F.interpolate(shown, size=made.shape[2], mode="nearest")
    return made * shown.detach(), shown.bool()


def layer_norm(norm: Norm, x: Tensor) -> Tensor:
    """Mean, difference, mean of squares, quotient, scale, bias."""
    centred = x - x.mean(1, keepdim=True)
    variance = (centred**2).mean(1, keepdim=True)
    return centred / torch.sqrt(variance + 1e-5) * norm.weight + norm.bias


def head(layers: Head, x: Tensor, mask: Tensor) -> Tensor:
    """The convolutions of a head on one level."""
    for conv, norm in zip(layers.head, layers.norm, strict=True):
        x = F.relu(layer_norm(norm, masked_conv(conv, x, mask)[0]))
    return masked_conv(getattr(layers, layers.last), x, mask)[0]


def transformer_block(block: Block, x: Tensor, mask: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Attention and MLP, each with its skip path: [B, C, T] and mask -> the same, halved or not."""
    made, shown = attention(block.attn, layer_norm(block.ln1, x), mask, window)
    skip = F.max_pool1d(x, 3, 2, 1) if block.pools else x
    x = skip * shown + dropped(block.drop_path_attn, made)
    widen, gelu, _, narrow, _ = block.mlp
    made = conv1(narrow, gelu(conv1(widen, layer_norm(block.ln2, x))))
    return x + dropped(block.drop_path_mlp, made * shown), shown


def dropped(path: DropPath, x: Tensor) -> Tensor:
    """The learnt scale, and in training zero for some videos."""
    if path.training and path.rate > 0:
        kept = 1 - path.rate
        x = x / kept * (kept + torch.rand(len(x), 1, 1, device=x.device)).floor()
    return path.scale * x


def conv1(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """A 1x1 convolution of [B, C, T]."""
    return F.conv1d(x, layer.weight, layer.bias)


def attention(layers: Attention, x: Tensor, mask: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Query, key and value after their convolution, norm and 1x1; scores, softmax, projection."""
    made = []
    for name in ("query", "key", "value"):
        after, shown = masked_conv(getattr(layers, f"{name}_conv"), x, mask)
        made.append(
            conv1(getattr(layers, name), layer_norm(getattr(layers, f"{name}_norm"), after))
        )
    batch, width, length = made[0].shape
    q, k, v = (
        part.view(batch, layers.heads, -1, length).transpose(2, 3).flatten(0, 1) for part in made
    )
    q = q * q.shape[2] ** -0.5
    if window > 1:
        out = banded(q, k, v, shown.repeat_interleave(layers.heads, 0), window // 2)
    else:
        keys = shown.repeat_interleave(layers.heads, 0)
        scores = (q @ k.transpose(1, 2)).masked_fill(~keys, -torch.inf)
        out = F.softmax(scores, 2) @ (v * keys.transpose(1, 2))
    out = out.unflatten(0, (batch, -1)).transpose(2, 3).reshape(batch, width, length)
    return conv1(layers.proj, out) * shown, shown


def banded(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, side: int) -> Tensor:
    """Longformer's sliding chunks: [N, T, D], mask [N, 1, T] -> [N, T, D]; T a multiple of 2 side."""
    scores = band_of_product(q, k, side)
    # The mask goes the same way: a column of ones times what is added to each key's scores.
    added = torch.zeros_like(q[:, :, :1]).masked_fill(~mask.transpose(1, 2), -1e4)
    scores = scores + band_of_product(torch.ones_like(added), added, side)
    length = q.shape[1]
    place = torch.arange(length, device=q.device).unsqueeze(1)
    place = place + torch.arange(-side, side + 1, device=q.device)
    scores = scores.masked_fill((place < 0) | (place >= length), -torch.inf)
    shares = F.softmax(scores, 2).masked_fill(~mask.transpose(1, 2), 0.0)
    return band_times_values(shares, v, side)


def band_of_product(q: Tensor, k: Tensor, side: int) -> Tensor:
    """[N, T, D] twice -> [N, T, 2 side + 1]: the products of near pairs, cut from chunks' products."""
    twice = 2 * side
    chunks = [part.unfold(1, twice, side) for part in (q, k)]  # chunks overlap by half
    product = torch.einsum("ncdx,ncdy->ncxy", *chunks)
    count = product.shape[1]
    # One row more and one column more: what lay on a diagonal now lies in a column.
    skewed = F.pad(product, (0, 0, 0, 1)).view(-1, count, twice, twice + 1)
    band = q.new_zeros(len(q), count + 1, side, twice + 1)
    band[:, :-1, :, side:] = skewed[:, :, :side, : side + 1]
    band[:, -1, :, side:] = skewed[:, -1, side:, : side + 1]
    band[:, 1:, :, :side] = skewed[:, :, side - 1 : -1, side + 1 :]
    band[:, 0, 1:side, 1:side] = skewed[:, 0, : side - 1, twice + 2 - side :]
    return band.flatten(1, 2)


def band_times_values(shares: Tensor, v: Tensor, side: int) -> Tensor:
    """Shares [N, T, 2 side + 1] of near values [N, T, D] -> [N, T, D]."""
    blocks = F.pad(shares.unflatten(1, (-1, side)), (0, side))
    batch, count = blocks.shape[:2]
    flat = blocks.flatten(2)[:, :, :-side]
    square = flat.view(batch, count, side, 3 * side)
    near = F.pad(v, (0, 0, side, side)).unfold(1, 3 * side, side)
    return torch.einsum("ncxy,ncdy->ncxd", square, near).flatten(1, 2)
