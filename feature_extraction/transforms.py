"""Frames from decoded pixels to what a network takes: one resizer for training and extraction.

Geometry works on uint8 tensors [T, 3, H, W], so training and extraction round in the same places;
`normalize` makes the float input last. The resizer treats every frame by itself: a clip resized at
once equals its frames resized one at a time.

All is what torchvision's functions of the same names give, to the bit: importing torchvision brings in
torch's compiler, which makes the start of every process seconds longer.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of torchvision's ImageNet weights
IMAGENET_STD = (0.229, 0.224, 0.225)


class TransformError(ValueError):
    """Frames or sizes a transform cannot work with."""


def to_tensor(frames: np.ndarray) -> Tensor:
    """Turn decoded frames uint8 [T, H, W, 3] into a tensor uint8 [T, 3, H, W] without copying."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def resize_short_side(frames: Tensor, short_side: int) -> Tensor:
    """Resize uint8 [T, 3, H, W] so that the shorter side is `short_side` pixels, aspect kept.

    Bilinear with antialiasing; a no-op where the side already fits.
    """
    _check_frames(frames)
    if short_side < 1:
        raise TransformError(f"short side is {short_side}, must be at least 1 pixel")
    old = height, width = frames.shape[-2:]
    long_side = int(short_side * max(old) / min(old))
    new = (short_side, long_side) if height <= width else (long_side, short_side)
    return frames if new == old else _resize(frames, new)


def center_crop(frames: Tensor, height: int, width: int) -> Tensor:
    """Cut the centre out of [..., H, W], which is at least as large: [..., height, width]."""
    top, left = (
        round((side - cut) / 2)
        for side, cut in zip(frames.shape[-2:], (height, width), strict=True)
    )
    return frames[..., top : top + height, left : left + width]


def normalize(
    frames: Tensor,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> Tensor:
    """Turn uint8 [..., 3, H, W] into float32: scaled to [0, 1], less `mean`, over `std`."""
    _check_frames(frames)
    scaled = frames.to(torch.float32).mul_(1 / 255)
    middle, spread = (scaled.new_tensor(values)[:, None, None] for values in (mean, std))
    return scaled.sub_(middle).div_(spread)


def train_transform(
    frames: Tensor,
    *,
    short_side_range: tuple[int, int] = (256, 320),
    crop: int | None = 224,
    flip: float = 0.5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Random short side (both ends of the range included), random crop, random mirror.

    One draw for the whole clip: uint8 [T, 3, H, W] -> uint8 [T, 3, crop, crop] (Appendix A.1). A crop
    of None is the whole frame.
    """
    low, high = short_side_range
    if not (crop or 1) <= low <= high:
        raise TransformError(
            f"crop {crop} and short side range [{low}, {high}]: need crop <= low <= high"
        )
    cropped = resize_short_side(frames, _draw(low, high, generator))
    if crop is not None:
        top = _draw(0, cropped.shape[-2] - crop, generator)
        left = _draw(0, cropped.shape[-1] - crop, generator)
        cropped = cropped[..., top : top + crop, left : left + crop]
    if torch.rand((), generator=generator).item() < flip:
        cropped = cropped.flip(-1)
    return cropped


def eval_transform(frames: Tensor, *, short_side: int, crop: int | None) -> Tensor:
    """Resize the short side and cut the centre: uint8 [T, 3, H, W] -> uint8 [T, 3, crop, crop].

    A crop of None is the whole frame. Validation, extraction and classification all see frames so.
    """
    if crop is None:
        return resize_short_side(frames, short_side)
    if crop > short_side:
        raise TransformError(f"crop {crop} does not fit in a short side of {short_side}")
    return center_crop(resize_short_side(frames, short_side), crop, crop)


def spatial_crops(frames: Tensor, *, short_side: int, count: int) -> Tensor:
    """Square crops along the longer side: uint8 [T, 3, H, W] -> uint8 [count, T, 3, S, S].

    The shorter side is resized to S = `short_side`; the crops lie evenly from one end to the other,
    a single one in the centre (Section 5: three crops of 256).
    """
    if count < 1:
        raise TransformError(f"{count} crops: give at least one")
    resized = resize_short_side(frames, short_side)
    slack = max(resized.shape[-2:]) - short_side
    starts = (
        [round(slack / 2)] if count == 1 else [round(slack * k / (count - 1)) for k in range(count)]
    )
    side = -1 if resized.shape[-1] >= resized.shape[-2] else -2
    return torch.stack([resized.narrow(side, at, short_side) for at in starts])


def _resize(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear with antialiasing: uint8 [..., 3, H, W] to [..., 3, *size]."""
    flat = frames.reshape(-1, *frames.shape[-3:])
    if len(flat) == 1 and flat.is_contiguous(memory_format=torch.channels_last):
        # The first stride of a single frame may be anything; with this one it is resized as it is.
        flat = flat.as_strided(flat.shape, (flat.numel(), *flat.stride()[1:]))
    whole = flat.device.type == "cpu" and _is_fast_on_bytes()
    given = flat if whole else flat.to(torch.float32)
    resized = F.interpolate(given, size, mode="bilinear", align_corners=False, antialias=True)
    resized = resized if whole else resized.round_().to(torch.uint8)
    return resized.reshape(*frames.shape[:-2], *size)


def _is_fast_on_bytes() -> bool:
    """Whether this processor resizes bytes without making them floats; the last bit follows from it."""
    known = torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}
    return known or platform.machine() in {"aarch64", "arm64"}


def _draw(low: int, high: int, generator: torch.Generator | None) -> int:
    """Draw a whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _check_frames(frames: Tensor) -> None:
    if frames.dtype != torch.uint8 or frames.ndim < 3 or frames.shape[-3] != 3:
        raise TransformError(
            f"frames are {frames.dtype} {tuple(frames.shape)}, must be uint8 [..., 3, H, W]"
        )
