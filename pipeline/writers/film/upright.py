"""Decoded frames made ready for an encoder: as displayed, yuv420p, of even size, in limited range."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from feature_extraction.video.content.pictures import CONVERT_OPTIONS, Display
from feature_extraction.video.pyav_opening import orientation
from feature_extraction.video.reader import Picture

FORMAT = "yuv420p"
# FFmpeg's numbers, as PyAV gives them: a colour space, and ranges
BT709, UNSPECIFIED, BT601 = 1, 2, 6
LIMITED, FULL = 1, 2
_NO_YUV = ("pal", "gbr", "mono", "xyz")
OLD_FULL = "yuvj"  # how names of formats begin that are in full range whatever their frames say


class Colours(NamedTuple):
    """How a video's numbers are colours: FFmpeg's matrix, primaries and transfer curve."""

    space: int
    primaries: int
    curve: int


class FromPictures:
    """Turns RGB pictures uint8 [H, W, 3] into what the encoder takes; the last row or column of an odd side appears twice."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width + width % 2, height + height % 2)
        self.colours = Colours(BT601, BT709, BT709)  # the matrix FFmpeg takes by itself
        self._reformatter = VideoReformatter()

    def frame(self, picture: Picture) -> av.VideoFrame:
        """A frame of its own, which may be drawn into."""
        width, height = self.size
        more = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
        even = np.ascontiguousarray(np.pad(picture, more, mode="edge"))
        options: dict[str, Any] = dict(CONVERT_OPTIONS)
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        return self._reformatter.reformat(frame, format=FORMAT, **options)


class Upright:
    """Turns decoded frames into what the encoder takes: as displayed, of the first frame's size made even.

    What is YUV keeps its colour space, by the first frame's tags; RGB becomes BT.601. Full range becomes limited
    range, which every player shows right.
    """

    def __init__(self, first: av.VideoFrame) -> None:
        self.turned = orientation(first)
        self._stored = (first.width, first.height)
        self._display = Display(first, self.turned)
        self._reformatter = VideoReformatter()
        self._pictures: FromPictures | None = None
        width, height = self._display.size
        self.size = (width + width % 2, height + height % 2)
        self.colours = Colours(
            int(first.colorspace),
            int(getattr(first, "color_primaries", UNSPECIFIED)),  # PyAV 15 does not tell
            int(getattr(first, "color_trc", UNSPECIFIED)),
        )
        # chroma of an odd side, turned, would lie a pixel aside
        odd = any(self.turned) and any(side % 2 for side in self._stored)
        if odd or first.format.is_rgb or first.format.name.startswith(_NO_YUV):
            self._pictures = FromPictures(width, height)
            self.colours = self._pictures.colours

    def frame(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame of its own, which may be drawn into."""
        if self._pictures is not None:
            return self._pictures.frame(self._display.picture(frame))
        options: dict[str, Any] = dict(CONVERT_OPTIONS)
        if int(frame.color_range) == FULL or frame.format.name.startswith(OLD_FULL):
            options |= {"dst_color_range": "MPEG"}
        width, height = self._stored
        plain = self._reformatter.reformat(
            frame, width=width, height=height, format=FORMAT, **options
        )
        made = av.VideoFrame(*self.size, FORMAT)
        for source, target in zip(planes(plain), planes(made), strict=True):
            _fill(target, turned_plane(source, self.turned))
        return made


def planes(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """The planes of a yuv420p frame: Y [H, W], U and V [H / 2, W / 2], as views of its memory."""
    found: list[Any] = list(frame.planes)  # buffers, which PyAV's types do not say
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in found
    ]


def pixel_aspect(stream: av.VideoStream, turned: tuple[bool, bool, bool]) -> Fraction | None:
    """Width to height of a pixel as displayed; None if the file does not say, or says 1."""
    found = stream.sample_aspect_ratio
    if not found or found <= 0 or found == 1:
        return None
    return 1 / Fraction(found) if turned[0] else Fraction(found)


def turned_plane(plane: NDArray[np.uint8], turned: tuple[bool, ...]) -> NDArray[np.uint8]:
    """A plane [H, W] turned and mirrored as `orientation` says, as a view."""
    transpose, flip_rows, flip_columns = turned
    if transpose:
        plane = plane.swapaxes(0, 1)
    return plane[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _fill(target: NDArray[np.uint8], source: NDArray[np.uint8]) -> None:
    """Copy a plane into one that may be a row or column larger: there, the last one stands again."""
    height, width = source.shape
    target[:height, :width] = source
    target[height:, :width] = source[-1:]
    target[:, width:] = target[:, width - 1 : width]
