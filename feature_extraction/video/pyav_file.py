"""One video file opened with PyAV: its packets, frames, pictures and where it is damaged."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from feature_extraction.video.frame_times import LONGEST_SECONDS, Damage, LateSeekError
from feature_extraction.video.pyav_opening import (
    PYAV_VERSION,
    VideoHead,
    open_container,
    orientation,
    reason,
)
from feature_extraction.video.reader import Picture, VideoError, VideoInfo

BACKWARD_SECONDS = 1.0  # times running back further than this make no timeline
# one thread converts: starting more costs more than it gains. Older PyAV has no such choice
CONVERT_OPTIONS = {"threads": 1} if PYAV_VERSION >= 18 else {}

Packet: TypeAlias = "av.Packet[av.VideoStream]"  # in quotes: PyAV 15 has no such form


class Item(NamedTuple):
    """A packet in decode order (None after the last) and its frames, where decoded already."""

    packet: Packet | None
    frames: list[av.VideoFrame] | None


class VideoFile:
    """An open file and its decoder, read forward once, or again from where it is sought to.

    Opening decodes up to the first frame; those packets come again, with their frames, as the
    first of `items`. Close it: nothing of it may be read after. Raises VideoError.
    """

    def __init__(self, path: Path, *, allow_partial: bool, threads: int) -> None:
        self.path = path
        self.allow_partial = allow_partial
        self._container = open_container(path)
        self._packets: Generator[Packet, None, None] = self._read()
        self.end: float | None = None  # seconds, set by a pass that gets there
        self._damage = Damage()
        self._sound_from: int | None = None  # ticks of the first key frame since opening or seeking
        try:
            self.head = VideoHead(path, self._container)
            self._stream = self.head.stream
            self._stream.thread_type = "AUTO" if threads != 1 else "NONE"
            self._stream.codec_context.thread_count = threads
            self._reformatter = VideoReformatter()
            self._newest: int | None = None
            self._sought = False
            self._begun = self._decode_first()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the file. Again is no error."""
        self._packets.close()  # before the container, whose buffers it uses
        self._container.close()

    def _decode_first(self) -> list[Item]:
        """Decode to the first frame; note its time, size and orientation."""
        begun: list[Item] = []
        undecodable: Packet | None = None
        frames: list[av.VideoFrame] = []
        while not frames:
            packet = next(self._packets, None)
            try:
                frames = list(self._stream.decode(packet))
            except av.FFmpegError:  # cut out of a longer stream, it begins undecodable
                if packet is not None and packet.is_keyframe:
                    undecodable = undecodable or packet
            begun.append(Item(packet, frames))
            if packet is None and not frames:
                raise VideoError(f"{self.path}: no frame of this video decodes; get it again")
        self.first_frame = frames[0]
        self.head.first = self.ticks(self.first_frame)
        self._newest = None
        if undecodable is not None:
            self._note(undecodable, "its first key frame is damaged")
        for item in begun:
            self._look(item.packet, item.frames or [])
        self._size = (self.first_frame.width, self.first_frame.height)
        self._orientation = orientation(self.first_frame)
        return begun

    def _read(self) -> Generator[Packet, None, None]:
        """Give the packets from here on; one that the file breaks off in raises VideoError."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0 and packet.dts is None:
                    continue  # PyAV's mark of the end
                # a short read: what is left of the packet would decode to a garbled frame
                if packet.is_corrupt and self.head.mp4:
                    if not self.allow_partial:
                        end = self.head.seconds(packet.pts) if packet.pts is not None else 0.0
                        raise self.head.broken_off(end, self.head.claimed_duration())
                    self._note(packet, "a part is missing")
                    continue
                yield packet
        except (av.FFmpegError, IndexError) as error:  # PyAV trips over streams that turn up late
            if not self.allow_partial:
                raise VideoError(f"{self.path}: reading failed ({reason(error)})") from error

    def items(self) -> Iterator[Item]:
        """Give what is left to decode: what opening decoded first, unless sought since."""
        begun, self._begun = self._begun, []
        yield from begun
        for packet in self._packets:
            yield Item(packet, None)
        yield Item(None, None)

    def decode(self, item: Item, *, needed: bool = True) -> list[av.VideoFrame]:
        """Decode an item; not `needed` lets the decoder drop it where no other frame uses it."""
        if item.frames is not None:
            return item.frames
        context = self._stream.codec_context
        mode: Literal["DEFAULT", "NONREF"] = "DEFAULT" if needed else "NONREF"
        if context.skip_frame != mode:
            context.skip_frame = mode
        try:
            frames = list(self._stream.decode(item.packet))
        except av.FFmpegError as error:
            if not isinstance(error, EOFError):
                self._note(item.packet, reason(error))
            return []
        self._look(item.packet, frames)
        return frames

    def _look(self, packet: Packet | None, frames: list[av.VideoFrame]) -> None:
        """Take note of damage that raised no error: the decoder conceals it, and flags the frame."""
        if packet is not None and packet.is_corrupt and self.head.flags_damage:
            self._note(packet, "packets are missing or damaged")
        elif packet is not None and packet.is_keyframe:
            time = self._time(packet)
            if self._sound_from is None:
                self._sound_from = time
            if not self.head.avi:  # without stored times, a lost frame moves all after it
                self._damage.sound_key(self.head.seconds(time))
        for frame in frames:
            # What comes before the key frame that was sought to is made of pictures never read.
            known = self._sound_from is not None and self._time(frame) >= self._sound_from
            if frame.is_corrupt and known:
                self._note(frame, "the data are damaged")

    def _note(self, at: Packet | av.VideoFrame | None, why: str) -> None:
        """Note damage at a packet or frame; raise VideoError unless a part will do."""
        ticks = self._newest if at is None else self._time(at)
        seconds = 0.0 if ticks is None else max(0.0, self.head.seconds(ticks))
        if not self.allow_partial:
            raise VideoError(
                f"{self.path}: does not decode at {seconds:.2f} s ({why}); get it again, or take "
                "what is sound (extract.allow_partial)"
            )
        self._damage.begin(seconds)

    def _time(self, at: Packet | av.VideoFrame) -> int:
        """Ticks of a packet or a frame, as far as it tells."""
        own = at.dts if self.head.avi or at.pts is None else at.pts
        return own if own is not None else self._newest or self.head.first

    def damaged(self, end: float) -> list[tuple[float, float]]:
        """Spans of seconds that did not decode, or are missing, of a pass that ended at `end` seconds."""
        return self._damage.spans(end, self.head.missing_to(end))

    def seek(self, seconds: float) -> bool:
        """Go to a key frame at or before a time; False where the file cannot."""
        self._packets.close()
        self._begun = []
        ticks = self.head.first + math.floor(seconds / self.head.tick)
        try:
            self._container.seek(ticks, stream=self._stream)
        except (av.FFmpegError, OverflowError):
            return False
        self._newest, self._sought, self._sound_from = None, True, None
        self._packets = self._read()
        return True

    def ticks(self, frame: av.VideoFrame) -> int:
        """The presentation time of the next frame of the decoder, in ticks; always rising.

        AVI stores no presentation times: there the decode times, which rise one a frame shown,
        are the ones to go by. Raises VideoError where times run far back or leap ahead.
        """
        own = frame.dts if self.head.avi or frame.pts is None else frame.pts
        if self._sought and frame.pts is None:
            raise LateSeekError  # only the way from the start tells when this is shown
        if self._newest is None:
            self._newest = own if own is not None else self.head.first
            return self._newest
        if own is None:
            own = self._newest + round(self.shown_seconds(frame, 0.0) / self.head.tick)
        elif (self._newest - own) * self.head.tick > BACKWARD_SECONDS:
            raise self._no_timeline("run back", own)
        elif (own - self._newest) * self.head.tick > LONGEST_SECONDS:
            raise self._no_timeline("jump", own)
        self._newest = max(own, self._newest + 1)
        return self._newest

    def _no_timeline(self, how: str, ticks: int) -> VideoError:
        last = self.head.first if self._newest is None else self._newest
        return VideoError(
            f"{self.path}: times {how} from {self.head.seconds(last):.2f} s to "
            f"{self.head.seconds(ticks):.2f} s; re-encode it (ffmpeg -i IN OUT.mp4)"
        )

    def shown_seconds(self, frame: av.VideoFrame, gap: float) -> float:
        """Seconds a frame is shown: as it says itself, else `gap`, else as is usual."""
        seconds = (frame.duration or 0) * self.head.tick
        return seconds if 0 < seconds <= LONGEST_SECONDS else gap or self.head.usual_seconds

    def picture(self, frame: av.VideoFrame) -> Picture:
        """Convert a frame to RGB uint8 [H, W, 3] as displayed, at the size of the first frame."""
        width, height = self._size
        # one converter for all frames: building one costs as much as converting with it
        rgb = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", **CONVERT_OPTIONS
        )
        picture = rgb.to_ndarray()
        transpose, flip_rows, flip_columns = self._orientation
        if transpose:
            picture = picture.swapaxes(0, 1)
        picture = picture[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
        return np.ascontiguousarray(picture)

    def info(self, decoder: str) -> VideoInfo:
        """What the file says about itself, for the reader of this name."""
        width, height = self._size[::-1] if self._orientation[0] else self._size
        duration = self.head.claimed_duration()
        return VideoInfo(str(self.path), width, height, self.head.fps, duration, decoder)

    def check_end(self, end: float) -> None:
        """Raise VideoError where the frames end (at `end` seconds) well before the file says."""
        claimed = None if self.allow_partial else self.head.missing_to(end)
        if claimed is not None:
            raise self.head.broken_off(end, claimed)
