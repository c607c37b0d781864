"""An MP4 that is being written: pictures at their own times, and sound beside them."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.container import OutputContainer
from av.video.frame import PictureType

from pipeline.writers.film.sources import Look
from pipeline.writers.film.upright import FORMAT, LIMITED

H264 = "libx264"
CODECS = (H264, "mpeg4")  # the first one this PyAV was built with
QUALITY = {"crf": "18", "preset": "veryfast", "g": "60"}
# of clips, many of which may be encoded at once: few pictures are kept back
LEAN = {"rc-lookahead": "10", "bf": "2", "threads": "1"}
MOST_UNITS = 65535  # of a second, that MPEG-4 can count; of H.264 there is no such limit
MPEG4_BITS = 0.2  # a pixel, before H.264 was there


class Film:
    """An MP4 being written to `path`; a context manager. Left by an error, the file is not finished.

    `lean` is for many at once: one thread, little memory. `options` are x264's in place of the usual ones; there
    has to be x264 then. Times are ticks of `look.tick` seconds. Raises OSError if the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        look: Look,
        *,
        lean: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        # an absolute path is never taken for an address
        self.container: OutputContainer = av.open(
            str(path.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
        )
        try:
            self._stream = self._video_stream(look, lean, options)
        except BaseException:
            self.container.close()
            raise
        self._lengths: dict[int, int] = {}  # time -> for how long, of pictures inside the encoder

    def _video_stream(self, look: Look, lean: bool, options: Mapping[str, str] | None) -> Any:
        known = CODECS if options is None else (H264,)
        codec = next(name for name in known if name in av.codecs_available)
        stream: Any = self.container.add_stream(codec, rate=look.rate)
        stream.width, stream.height = look.size
        stream.pix_fmt = FORMAT
        self._source_tick = self._tick = look.tick
        if codec == H264:
            stream.options = dict(options or QUALITY | (LEAN if lean else {}))
        else:
            if look.tick.denominator > MOST_UNITS:
                self._tick = Fraction(1, 60000)
            stream.bit_rate = int(MPEG4_BITS * look.size[0] * look.size[1] * look.rate) + 100_000
        context = stream.codec_context
        stream.time_base = context.time_base = self._tick
        if look.aspect is not None:
            context.sample_aspect_ratio = look.aspect
        context.color_range = LIMITED
        context.colorspace, context.color_primaries, context.color_trc = look.colours
        return stream

    def show(self, frame: av.VideoFrame, tick: int, until: int) -> None:
        """Show a yuv420p frame from a time until another, in ticks; times rise."""
        tick, until = (round(time * self._source_tick / self._tick) for time in (tick, until))
        frame.pts, frame.time_base = tick, self._tick
        frame.pict_type = PictureType.NONE  # the encoder decides which are key frames
        self._lengths[tick] = max(1, until - tick)
        self._mux(frame)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            unit = packet.time_base or self._tick  # PyAV 15 gives packets in the container's
            length = self._lengths.pop(round(packet.pts * unit / self._tick), None)
            if length is not None:
                packet.duration = round(length * self._tick / unit)
            self.mux(packet)

    def mux(self, packet: Any) -> None:
        """Write a packet of one of the streams. Raises OSError if it cannot be written."""
        try:
            self.container.mux(packet)
        except av.FFmpegError as error:
            raise self._refused(error) from error

    def finish(self) -> None:
        """Write what is still in the encoder, and the index. Raises OSError."""
        self._mux(None)
        try:
            self.container.close()
        except av.FFmpegError as error:
            raise self._refused(error) from error

    @staticmethod
    def _refused(error: av.FFmpegError) -> Exception:
        """A refusal of the system as Python's own; what is wrong with a packet stays as it is."""
        number = getattr(error, "errno", None)
        if number in errno.errorcode and number != errno.EINVAL:
            return OSError(number, error.strerror)
        return error

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.container.close()  # again is no error
        except av.FFmpegError as refused:
            if kind is None:
                raise self._refused(refused) from refused
