"""Small pictures laid over yuv420p frames: made once, then only mixed in."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.writers.film.upright import BT709, planes

# how much red and blue are in the brightness, by the matrix of the colour space
_SHARES = {BT709: (0.2126, 0.0722)}
_USUAL_SHARES = (0.299, 0.114)
_WHOLE = 256  # of a pixel kept


@dataclass(frozen=True)
class Patch:
    """A picture for a place of a frame: `left` and `top` in pixels (even).

    Of each plane (Y, U, V), `keep` of 256 parts stay of what is there, and `add` comes to it.
    """

    left: int
    top: int
    keep: tuple[NDArray[np.uint16], ...]
    add: tuple[NDArray[np.uint16], ...]

    def put(self, frame: av.VideoFrame, *, left: int | None = None) -> None:
        """Mix it into a frame, at its place or at another `left` (even). What is outside the frame is cut off."""
        left = self.left if left is None else left
        for number, plane in enumerate(planes(frame)):
            half = 1 if number == 0 else 2
            keep, add = self.keep[number], self.add[number]
            top, start = self.top // half, left // half
            place = plane[top : top + keep.shape[0], start : start + keep.shape[1]]
            height, width = place.shape
            place[:] = (place * keep[:height, :width] >> 8) + add[:height, :width]


def patch(picture: Image.Image, left: int, top: int, *, space: int) -> Patch:
    """Make a patch of an RGBA picture; `space` is the frames' colour space, by FFmpeg's number.

    What is clear in the picture leaves a frame's numbers as they are.
    """
    left, top = left - left % 2, top - top % 2
    rgba = np.asarray(picture.convert("RGBA"), np.float64)
    rgba = np.pad(rgba, ((0, rgba.shape[0] % 2), (0, rgba.shape[1] % 2), (0, 0)))
    red, green, blue, opaque = (rgba[..., channel] / 255 for channel in range(4))
    red_share, blue_share = _SHARES.get(space, _USUAL_SHARES)
    bright = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    luma = 16 + 219 * bright
    chroma_u = 128 + 224 * (blue - bright) / (2 - 2 * blue_share)
    chroma_v = 128 + 224 * (red - bright) / (2 - 2 * red_share)
    adds = (luma * opaque, _halved(chroma_u * opaque), _halved(chroma_v * opaque))
    keep = _parts(1 - opaque)
    half = _parts(1 - _halved(opaque))
    rounded = (np.rint(add).astype(np.uint16) for add in adds)
    return Patch(left, top, (keep, half, half), tuple(rounded))


def _halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each four pixels."""
    height, width = plane.shape
    means: NDArray[np.float64] = plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return means


def _parts(share: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.rint(_WHOLE * share).astype(np.uint16)
