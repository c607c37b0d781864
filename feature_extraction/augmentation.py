"""Augmentation of training clips: drawn once per clip, the same for each of its frames.

Clips are uint8 [T, 3, H, W] and stay so. Every draw comes from the given generator, none from the
global random state. What looks at a frame's statistics (contrast, equalize) takes the whole clip's:
a frame's own would make the clip flicker. Borders that a frame moves away from take the clip's mean
colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from feature_extraction.transforms import TransformError

STEPS = 30  # RandAugment's magnitudes are whole numbers up to this
MOVES = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
COLOURS = ("brightness", "color", "contrast", "sharpness", "posterize", "solarize",
           "autocontrast", "equalize")  # fmt: skip
OPERATIONS = ("identity", *MOVES, *COLOURS)
ERASED_AREA = (0.02, 0.33)
ERASED_ASPECT = (0.3, 3.3)


def augment(
    clip: Tensor,
    *,
    color_jitter: float = 0.0,
    rand_augment: tuple[int, int] | None = None,
    erasing: float = 0.0,
    generator: torch.Generator,
) -> Tensor:
    """Augment a clip uint8 [T, 3, H, W]: colours, then RandAugment's operations, then erasing.

    `color_jitter`, `erasing`: probabilities; `rand_augment`: (operations, magnitude 0 to 30). With
    all off the clip itself comes back, and nothing is drawn. Raises TransformError.
    """
    if clip.dtype != torch.uint8 or clip.ndim != 4 or clip.shape[1] != 3:
        raise TransformError(f"clip is {clip.dtype} {tuple(clip.shape)}, not uint8 [T, 3, H, W]")
    if color_jitter and _uniform(0, 1, generator) < color_jitter:
        clip = jitter_colors(clip, generator)
    if rand_augment is not None:
        count, magnitude = rand_augment
        for _ in range(count):
            name = OPERATIONS[int(torch.randint(len(OPERATIONS), (), generator=generator))]
            sign = 1 if _uniform(0, 1, generator) < 0.5 else -1
            clip = apply_operation(clip, name, sign * magnitude / STEPS)
    if erasing and _uniform(0, 1, generator) < erasing:
        clip = erase(clip, generator)
    return clip


def jitter_colors(clip: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation by factors of 0.6 to 1.4, hue by up to a tenth turn.

    In an order that is drawn too. uint8 [T, 3, H, W] -> the same shape.
    """
    for kind in torch.randperm(4, generator=generator).tolist():
        factor = _uniform(0.6, 1.4, generator)
        if kind == 0:
            clip = F.adjust_brightness(clip, factor)
        elif kind == 1:
            clip = _as_one_image(clip, partial(F.adjust_contrast, contrast_factor=factor))
        elif kind == 2:
            clip = F.adjust_saturation(clip, factor)
        else:
            clip = F.adjust_hue(clip, (factor - 1) / 4)
    return clip


def apply_operation(clip: Tensor, name: str, strength: float) -> Tensor:
    """One of RandAugment's OPERATIONS on a clip uint8 [T, 3, H, W] (Cubuk et al. 2020).

    `strength` in [-1, 1] is a share of the largest: shear 0.3, translation 150/331 of a side, 30
    degrees, factors 1 +- 0.9, 4 bits less, all values inverted. `identity`, `autocontrast` and
    `equalize` have none; `posterize` and `solarize` no sign. Gives the same shape. Raises
    TransformError.
    """
    if name not in OPERATIONS or not -1 <= strength <= 1:
        raise TransformError(f"operation {name!r} of strength {strength}")
    if name in MOVES:
        return _moved(clip, name, strength)
    return _recoloured(clip, name, strength) if name in COLOURS else clip


def erase(clip: Tensor, generator: torch.Generator) -> Tensor:
    """Fill a rectangle, the same in all frames, with the clip's mean colour (Zhong et al. 2020).

    It has 2 to 33 % of the frame's area, and a height of 0.3 to 3.3 times its width, as far as the
    frame has room. uint8 [T, 3, H, W] -> the same shape.
    """
    height, width = clip.shape[-2:]
    area = _uniform(*ERASED_AREA, generator) * height * width
    narrowest, widest = ERASED_ASPECT
    aspect = math.exp(_uniform(math.log(narrowest), math.log(widest), generator))
    tall = min(height, max(1, round(math.sqrt(area * aspect))))
    wide = min(width, max(1, round(math.sqrt(area / aspect))))
    top = int(torch.randint(height - tall + 1, (), generator=generator))
    left = int(torch.randint(width - wide + 1, (), generator=generator))
    clip = clip.clone()
    colour = torch.tensor(_mean_colour(clip)).round().to(torch.uint8)
    clip[:, :, top : top + tall, left : left + wide] = colour.view(3, 1, 1)
    return clip


def _moved(clip: Tensor, name: str, strength: float) -> Tensor:
    height, width = clip.shape[-2:]
    angle, shift, shear, center = 0.0, [0, 0], [0.0, 0.0], None
    along = int(name.endswith("_y"))
    if name == "rotate":
        angle = 30.0 * strength
    elif name.startswith("translate"):
        shift[along] = int(150 / 331 * (height if along else width) * strength)
    else:
        shear[along], center = math.degrees(math.atan(0.3 * strength)), [0.0, 0.0]
    moved: Tensor = F.affine(
        clip,
        angle=angle,
        translate=shift,
        scale=1.0,
        shear=shear,
        interpolation=InterpolationMode.BILINEAR,
        fill=_mean_colour(clip),
        center=center,
    )
    return moved


def _recoloured(clip: Tensor, name: str, strength: float) -> Tensor:
    factor, size = 1 + 0.9 * strength, abs(strength)
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "brightness": partial(F.adjust_brightness, brightness_factor=factor),
        "color": partial(F.adjust_saturation, saturation_factor=factor),
        "contrast": partial(F.adjust_contrast, contrast_factor=factor),
        "sharpness": partial(F.adjust_sharpness, sharpness_factor=factor),
        "posterize": partial(F.posterize, bits=8 - round(4 * size)),
        "solarize": partial(F.solarize, threshold=255 * (1 - size)),
        "autocontrast": F.autocontrast,
        "equalize": F.equalize,
    }
    if name in ("contrast", "autocontrast", "equalize"):
        return _as_one_image(clip, changes[name])
    return changes[name](clip)


def _as_one_image(clip: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change a clip as one image, its frames below one another: [3, T * H, W]."""
    frames, _, height, width = clip.shape
    image = change(clip.transpose(0, 1).reshape(3, frames * height, width))
    return image.reshape(3, frames, height, width).transpose(0, 1).contiguous()


def _mean_colour(clip: Tensor) -> list[float]:
    return clip.to(torch.float32).mean((0, 2, 3)).tolist()


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))
