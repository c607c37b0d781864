"""Decoded frames to pictures as displayed: RGB, turned and mirrored as the file says, of one size."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

# one thread converts: starting more costs more than it gains. Older PyAV has no such choice
CONVERT_OPTIONS = {"threads": 1} if int(av.__version__.split(".")[0]) >= 18 else {}


class Display:
    """How the frames of a video are shown: at the size of the first, `turned` as it says.

    `turned`: whether rows and columns change places, then whether rows, then columns are flipped.
    """

    def __init__(self, first: av.VideoFrame, turned: tuple[bool, bool, bool]) -> None:
        self._size = (first.width, first.height)
        self._turned = turned
        # one converter for all frames: building one costs as much as converting with it
        self._reformatter = VideoReformatter()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as displayed."""
        return self._size[::-1] if self._turned[0] else self._size

    def picture(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Convert a frame to RGB uint8 [H, W, 3] as displayed."""
        width, height = self._size
        rgb = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", **CONVERT_OPTIONS
        )
        picture = rgb.to_ndarray()
        transpose, flip_rows, flip_columns = self._turned
        if transpose:
            picture = picture.swapaxes(0, 1)
        picture = picture[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
        return np.ascontiguousarray(picture)
