"""A video file whose frames the hardware decodes: pictures of them on the device, or downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import torch
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from torch import Tensor

from feature_extraction.video.content.pictures import CONVERT_OPTIONS
from feature_extraction.video.hardware.acceleration import DOWNLOADED, ON_DEVICE, acceleration
from feature_extraction.video.hardware.colours import FULL, nv12_to_rgb
from feature_extraction.video.pyav_file import VideoFile
from feature_extraction.video.pyav_opening import open_container, orientation
from feature_extraction.video.reader import Picture, VideoError


class HardwareFile(VideoFile):
    """See VideoFile. Raises VideoError also where the hardware does not decode such a video."""

    def __init__(self, path: Path, *, allow_partial: bool, device: str | torch.device) -> None:
        self._device = torch.device(device)
        self._planar = VideoReformatter()
        super().__init__(path, allow_partial=allow_partial, threads=1)
        try:
            self._require_hardware()
        except BaseException:
            self.close()
            raise
        self._turned = orientation(self.first_frame)
        self._stored = self.first_frame.width, self.first_frame.height

    def _opened(self, path: Path) -> InputContainer:
        hardware = acceleration(self._device)
        try:
            return open_container(path, hardware)
        except VideoError as error:
            open_container(path).close()  # says what is wrong with the file, if that is it
            raise VideoError(
                f"{path}: PyAV cannot use {self._device}; use --decoder pyav"
            ) from error

    def _require_hardware(self) -> None:
        name = self.first_frame.format.name
        if name != ON_DEVICE and name not in DOWNLOADED:
            context = self.head.stream.codec_context
            kind = " ".join(filter(None, (context.name, context.profile)))
            raise VideoError(
                f"{self.path}: the GPU does not decode this kind of video ({kind}); use --decoder pyav"
            )

    def picture(self, frame: av.VideoFrame) -> Picture:
        """See VideoFile.picture: of a downloaded frame, converted as the software decoder's are."""
        options: dict[str, Any] = dict(CONVERT_OPTIONS)
        if frame.format.name == ON_DEVICE:
            inside = getattr(frame, "sw_format", None)
            name = "nv12" if inside is None else inside.name
            frame = self._planar.reformat(frame, format=name, **options)  # downloads it
        planar = DOWNLOADED.get(frame.format.name)
        if planar is not None:
            # FFmpeg converts interleaved chroma in another way than planes, to other pixels
            frame = self._planar.reformat(frame, format=planar, **options)
        return super().picture(frame)

    def tensor(self, frame: av.VideoFrame) -> Tensor:
        """The picture uint8 [H, W, 3] on the device: converted there, where the frame is there."""
        if frame.format.name != ON_DEVICE or not self._is_plain(frame):
            return torch.from_numpy(self.picture(frame)).to(self._device)
        planes: Any = frame.planes
        # By capsule: given a stream, PyAV refuses. Both sides use the default stream of one context, in its order.
        luma, chroma = (torch.utils.dlpack.from_dlpack(plane.__dlpack__()) for plane in planes)
        full = int(frame.color_range) == FULL
        picture = nv12_to_rgb(luma, chroma, space=int(frame.colorspace), full=full)
        return turned(picture, self._turned)

    def _is_plain(self, frame: av.VideoFrame) -> bool:
        """Whether a frame on the device is of 8 bits, of an even size and of the first one's."""
        inside = getattr(frame, "sw_format", None)
        size = frame.width, frame.height
        even = not any(side % 2 for side in size)
        return inside is not None and inside.name == "nv12" and even and size == self._stored


def turned(picture: Tensor, how: tuple[bool, bool, bool]) -> Tensor:
    """A picture [H, W, 3] as displayed: rows and columns exchanged, then rows, then columns flipped."""
    transpose, flip_rows, flip_columns = how
    if transpose:
        picture = picture.transpose(0, 1)
    axes = [axis for axis, flip in enumerate((flip_rows, flip_columns)) if flip]
    return (picture.flip(axes) if axes else picture).contiguous()
