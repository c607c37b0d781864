"""Maps of a class drawn over the frames they are of."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from pipeline.tools.explain.looking import Explained

_STRENGTH = 0.75  # of the colour where the class is seen most
_DIMMED = 0.75  # how bright a frame stays where nothing is seen


def scales_of(explained: Explained) -> np.ndarray:
    """The value [n] that has the strongest colour: the largest of all targets of one head, so that these compare."""
    peaks = explained.maps.max((1, 2, 3))
    heads = np.array([target.head for target in explained.moment.targets])
    return np.array([max(1e-12, peaks[heads == head].max()) for head in heads])


def heat_at(explained: Explained, target: int, seconds: float) -> np.ndarray:
    """A target's map [h, w] at a time: between two frames of clips in proportion, before the first and after the last theirs."""
    times = explained.times
    after = (
        int(np.clip(np.searchsorted(times, seconds), 1, len(times) - 1)) if len(times) > 1 else 0
    )
    before = max(0, after - 1)
    span = times[after] - times[before]
    share = float(np.clip((seconds - times[before]) / span, 0, 1)) if span > 0 else 1.0
    maps = explained.maps[target]
    between: np.ndarray = (1 - share) * maps[before] + share * maps[after]
    return between


def painted(frame: np.ndarray, heat: np.ndarray, scale: float) -> np.ndarray:
    """A frame uint8 [H, W, 3], dimmed, with a map [h, w] over it: nothing up to 0, brightest at `scale`."""
    height, width = frame.shape[:2]
    values = torch.from_numpy(np.ascontiguousarray(heat))[None, None].float().clamp(min=0)
    large = F.interpolate(values, (height, width), mode="bilinear", align_corners=False)[0, 0]
    share = (large / scale).clamp(max=1).numpy()
    colour = _palette()[(255 * share).astype(np.uint8)]
    weight = (_STRENGTH * np.sqrt(share))[..., None]
    grey = frame.mean(2, keepdims=True)
    dim = _DIMMED * (0.5 * frame + 0.5 * grey)
    mixed: np.ndarray = ((1 - weight) * dim + weight * colour).round().clip(0, 255)
    return mixed.astype(np.uint8)


@cache
def _palette() -> np.ndarray:
    """256 colours float [256, 3] from dark to bright, which colour-blind people can distinguish."""
    from matplotlib import colormaps

    return 255 * np.asarray(colormaps["inferno"](np.linspace(0, 1, 256)))[:, :3]


def legend(width: int, height: int) -> np.ndarray:
    """A bar of the colours uint8 [height, width, 3], from 0 to the strongest."""
    ramp = np.linspace(0, 1, width)[None].repeat(height, 0)
    return painted(np.full((height, width, 3), 128, np.uint8), ramp, 1.0)
