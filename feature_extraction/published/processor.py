"""What a processor of Hugging Face's does to frames, read from its file: sizes, mean and standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from feature_extraction.published.description import Colours
from feature_extraction.published.names import PublishedError

# What processors do where their file does not say, and what files of processors hold them under.
_HALF = (0.5, 0.5, 0.5)
_INSIDE = ("video_processor", "image_processor")


class Processing(NamedTuple):
    """What is done to frames with values from 0 to 1: resized, the central square cut out, (value - mean) / std.

    None stands for what is not done. Sizes are in pixels.
    """

    short_side: int | None
    crop: int | None
    mean: Colours
    std: Colours


def processing_of(file: Mapping[str, Any]) -> Processing:
    """What a processor's file says. Raises PublishedError for what is not a size and no three numbers.

    A processor multiplies bytes by `rescale_factor` (ViViT's takes 1 from that, `offset`) before mean and
    standard deviation; both are given here for values from 0 to 1.
    """
    inner = next((file[key] for key in _INSIDE if isinstance(file.get(key), Mapping)), file)
    crop = _side("crop_size", inner.get("crop_size")) if _does(inner, "do_center_crop") else None
    size = inner.get("size") if _does(inner, "do_resize") else None
    short_side = _side("size", size)
    squeezed = isinstance(size, Mapping) and "height" in size
    if squeezed and crop is None:  # the whole frame is squeezed to a square there
        crop = short_side
    if crop is not None and (short_side is None or short_side < crop):
        short_side = crop
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if _does(inner, "do_normalize"):
        mean = _colours("image_mean", inner.get("image_mean", _HALF))
        std = _colours("image_std", inner.get("image_std", _HALF))
        if min(std) == 0:
            raise PublishedError("image_std of its processor is 0, and frames are divided by it")
    scale, offset = 1.0, 0.0
    if _does(inner, "do_rescale"):
        scale = _number("rescale_factor", inner.get("rescale_factor", 1 / 255))
        if scale == 0:
            raise PublishedError("rescale_factor of its processor is 0: frames would all be black")
        offset = 1.0 if inner.get("offset") is True else 0.0
    bright = 255 * scale  # what a value of 1 is after it
    low, wide = (_scaled(mean, offset, bright), _scaled(std, 0.0, bright))
    return Processing(short_side, crop, low, wide)


def _does(file: Mapping[str, Any], key: str) -> bool:
    """Whether a step is taken; a crop is one only where its size is given."""
    said = file.get(key)
    if said is None:
        return key != "do_center_crop" or "crop_size" in file
    return bool(said)


def _scaled(values: Colours, offset: float, bright: float) -> Colours:
    red, green, blue = (round((value + offset) / bright, 9) for value in values)
    return red, green, blue


def _side(key: str, size: Any) -> int | None:
    """The shorter side of a size in any of its forms, None if there is none."""
    if size is None:
        return None
    sides = list(size.values()) if isinstance(size, Mapping) else [size]
    if isinstance(size, Mapping):
        named = {"shortest_edge"} & size.keys() or {"height", "width"} & size.keys()
        sides = [size[name] for name in named]
    if not sides or not all(isinstance(s, int) and 0 < s <= 65_536 for s in sides):
        raise PublishedError(f"{key} {size!r} of its processor is not a size in pixels")
    return int(max(sides))


def _colours(key: str, values: Any) -> Colours:
    given = values if isinstance(values, list | tuple) else [values] * 3
    if len(given) != 3:
        raise PublishedError(f"{key} {values!r} of its processor is not of red, green and blue")
    red, green, blue = (_number(key, value) for value in given)
    return red, green, blue


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise PublishedError(f"{key} {value!r} of its processor is not a number from 0 on")
    return float(value)
