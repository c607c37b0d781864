"""Frames from decoded pixels to what a network takes: one resizer for training and extraction.

Geometry works on uint8 tensors [T, 3, H, W], so training and extraction round in the same places;
`normalize` makes the float input last. The resizer treats every frame by itself: a clip resized at
once equals its frames resized one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

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
    resized: Tensor = F.resize(
        frames, [short_side], interpolation=InterpolationMode.BILINEAR, antialias=True
    )
    return resized


def normalize(
    frames: Tensor,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> Tensor:
    """Turn uint8 [..., 3, H, W] into float32: scaled to [0, 1], less `mean`, over `std`."""
    _check_frames(frames)
    scaled = F.to_dtype(frames, torch.float32, scale=True)
    normalized: Tensor = F.normalize(scaled, list(mean), list(std), inplace=True)
    return normalized


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
        cropped = F.crop(cropped, top, left, crop, crop)
    if torch.rand((), generator=generator).item() < flip:
        cropped = F.horizontal_flip(cropped)
    return cropped


def eval_transform(frames: Tensor, *, short_side: int, crop: int | None) -> Tensor:
    """Resize the short side and cut the centre: uint8 [T, 3, H, W] -> uint8 [T, 3, crop, crop].

    A crop of None is the whole frame. Validation, extraction and classification all see frames so.
    """
    if crop is None:
        return resize_short_side(frames, short_side)
    if crop > short_side:
        raise TransformError(f"crop {crop} does not fit in a short side of {short_side}")
    square: Tensor = F.center_crop(resize_short_side(frames, short_side), [crop, crop])
    return square


def spatial_crops(frames: Tensor, *, short_side: int, count: int) -> Tensor:
    """Square crops along the longer side: uint8 [T, 3, H, W] -> uint8 [count, T, 3, S, S].

    The shorter side is resized to S = `short_side`; the crops lie evenly from one end to the other,
    a single one in the centre (Section 5: three crops of 256).
    """
    if count < 1:
        raise TransformError(f"{count} crops: at least one")
    resized = resize_short_side(frames, short_side)
    slack = max(resized.shape[-2:]) - short_side
    starts = (
        [round(slack / 2)] if count == 1 else [round(slack * k / (count - 1)) for k in range(count)]
    )
    wide = resized.shape[-1] >= resized.shape[-2]
    return torch.stack(
        [
            F.crop(resized, 0 if wide else at, at if wide else 0, short_side, short_side)
            for at in starts
        ]
    )


def _draw(low: int, high: int, generator: torch.Generator | None) -> int:
    """Draw a whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _check_frames(frames: Tensor) -> None:
    if frames.dtype != torch.uint8 or frames.ndim < 3 or frames.shape[-3] != 3:
        raise TransformError(
            f"frames are {frames.dtype} {tuple(frames.shape)}, must be uint8 [..., 3, H, W]"
        )
