"""One video file opened with PyAV: packets, frames, pictures, and what the file says of itself."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from feature_extraction.video.damage import Damage
from feature_extraction.video.frame_times import LONGEST_SECONDS, LateSeekError
from feature_extraction.video.opening import VideoError
from feature_extraction.video.pyav_opening import (
    clock_seconds,
    last_packet_end,
    moving_stream,
    open_container,
    orientation,
    reason,
)

# containers whose packets carry true presentation times, and that seek by them
TIMED_CONTAINERS = ("mp4", "matroska")
# a file may fall this short of what it says before it counts as broken off
MISSING_SECONDS, MISSING_FRAMES = 0.2, 4
BACKWARD_SECONDS = 1.0  # times running back further than this make no timeline


# one thread converts: starting more costs more than it gains. Older PyAV has no such choice
CONVERT_OPTIONS = {"threads": 1} if int(av.__version__.split(".")[0]) >= 18 else {}


class Item(NamedTuple):
    """A packet in decode order (None after the last) and its frames, where decoded already."""

    packet: av.Packet | None
    frames: list[av.VideoFrame] | None


class VideoFile:
    """An open file and its decoder, read forward once, or again from where it is sought to.

    Opening decodes up to the first frame; those packets come again, with their frames, at the
    head of `items`. Close it: nothing of it may be read after. Raises VideoError.
    """

    def __init__(self, path: Path, *, allow_partial: bool, threads: int) -> None:
        self.path = path
        self.allow_partial = allow_partial
        self.container = open_container(path)
        self._packets: Generator[av.Packet, None, None] = self._read()
        self.end: float | None = None  # seconds, set by a pass that gets there
        self._damage = Damage()
        self._sound_from: int | None = None  # ticks of the first key frame since opening or seeking
        try:
            self.stream = moving_stream(path, self.container)
            self.stream.thread_type = "AUTO" if threads != 1 else "NONE"
            self.stream.codec_context.thread_count = threads
            kind = self.container.format.name
            self.timed = any(name in kind for name in TIMED_CONTAINERS)
            self._mp4, self._avi = "mp4" in kind, kind == "avi"
            self._flags_damage = kind == "mpegts"  # others flag a last, short packet, too
            self.tick = float(self.stream.time_base)
            self.fps = float(self.stream.average_rate or self.stream.guessed_rate or 0)
            self._reformatter = VideoReformatter()
            self._newest: int | None = None
            self._sought = False
            self._head = self._decode_first()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file. Again is no error."""
        self._packets.close()  # before the container, whose buffers it uses
        self.container.close()

    def _decode_first(self) -> list[Item]:
        """Decode to the first frame; note its time, size and orientation."""
        self.first = 0
        head: list[Item] = []
        undecodable: av.Packet | None = None
        while not head or not head[-1].frames:
            packet = next(self._packets, None)
            try:
                head.append(Item(packet, list(self.stream.decode(packet))))
            except av.FFmpegError:
                head.append(Item(packet, []))  # cut out of a longer stream, it begins undecodable
                if packet is not None and packet.is_keyframe:
                    undecodable = undecodable or packet
            if packet is None and not head[-1].frames:
                raise VideoError(f"{self.path}: no frame of this video decodes; get it again")
        frame = self.first_frame = head[-1].frames[0]
        self.first = self.ticks(frame)
        self._newest = None
        if undecodable is not None:
            self._note(undecodable, "its first key frame is damaged")
        for item in head:
            self._look(item.packet, item.frames or [])
        self._size = (frame.width, frame.height)
        self._orientation = orientation(frame)
        return head

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as displayed."""
        return self._size[::-1] if self._orientation[0] else self._size

    def _read(self) -> Generator[av.Packet, None, None]:
        """Give the packets from here on; one that the file breaks off in raises VideoError."""
        try:
            for packet in self.container.demux(self.stream):
                if packet.size == 0 and packet.dts is None:
                    continue  # PyAV's mark of the end
                # a short read: what is left of the packet would decode to a garbled frame
                if packet.is_corrupt and self._mp4:
                    if not self.allow_partial:
                        raise VideoError(self._broken_off(packet))
                    self._note(packet, "a part is missing")
                    continue
                yield packet
        except (av.FFmpegError, IndexError) as error:  # PyAV trips over streams that turn up late
            if not self.allow_partial:
                raise VideoError(f"{self.path}: reading failed ({reason(error)})") from error

    def items(self) -> Iterator[Item]:
        """Give what is left to decode: the head decoded at opening first, unless sought since."""
        head, self._head = self._head, []
        yield from head
        for packet in self._packets:
            yield Item(packet, None)
        yield Item(None, None)

    def decode(self, item: Item, *, needed: bool = True) -> list[av.VideoFrame]:
        """Decode an item; not `needed` lets the decoder drop it where no other frame uses it."""
        if item.frames is not None:
            return item.frames
        context = self.stream.codec_context
        mode = "DEFAULT" if needed else "NONREF"
        if context.skip_frame != mode:
            context.skip_frame = mode
        try:
            frames = list(self.stream.decode(item.packet))
        except av.FFmpegError as error:
            if not isinstance(error, EOFError):
                self._note(item.packet, reason(error))
            return []
        self._look(item.packet, frames)
        return frames

    def _look(self, packet: av.Packet | None, frames: list[av.VideoFrame]) -> None:
        """Take note of damage that raised no error: the decoder conceals it, and flags the frame."""
        if packet is not None and packet.is_corrupt and self._flags_damage:
            self._note(packet, "packets are missing or damaged")
        elif packet is not None and packet.is_keyframe:
            time = self._time(packet)
            if self._sound_from is None:
                self._sound_from = time
            if not self._avi:  # without stored times, a lost frame moves all after it
                self._damage.sound_key(self.seconds(time))
        for frame in frames:
            # What comes before the key frame that was sought to is made of pictures never read.
            known = self._sound_from is not None and self._time(frame) >= self._sound_from
            if frame.is_corrupt and known:
                self._note(frame, "the data are damaged")

    def _note(self, at: av.Packet | av.VideoFrame | None, why: str) -> None:
        """Note damage at a packet or frame; raise VideoError unless a part will do."""
        seconds = self._damage_end if at is None else self.seconds(self._time(at))
        if not self.allow_partial:
            raise VideoError(
                f"{self.path}: does not decode at {max(0.0, seconds):.2f} s ({why}); get it again, or take "
                "what is sound (extract.allow_partial)"
            )
        self._damage.begin(seconds)

    @property
    def _damage_end(self) -> float:
        return 0.0 if self._newest is None else self.seconds(self._newest)

    def _time(self, at: av.Packet | av.VideoFrame) -> int:
        """Ticks of a packet or a frame, as far as it tells."""
        own = at.dts if self._avi or at.pts is None else at.pts
        return own if own is not None else self._newest or self.first

    def damaged(self, end: float) -> list[tuple[float, float]]:
        """Spans of seconds that did not decode, or are missing, of a pass that ended at `end` seconds."""
        return self._damage.spans(end, self._missing_to(end))

    def seek(self, seconds: float) -> bool:
        """Go to a key frame at or before a time; False where the file cannot."""
        self._packets.close()
        self._head = []
        try:
            self.container.seek(self.first + math.floor(seconds / self.tick), stream=self.stream)
        except (av.FFmpegError, OverflowError):
            return False
        self._newest, self._sought, self._sound_from = None, True, None
        self._packets = self._read()
        return True

    def seconds(self, ticks: int) -> float:
        """Seconds from the first frame of a time in ticks of the stream."""
        return (ticks - self.first) * self.tick

    def ticks(self, frame: av.VideoFrame) -> int:
        """The presentation time of the next frame of the decoder, in ticks; always rising.

        AVI stores no presentation times: there the decode times, which rise one a frame shown,
        are the ones to go by. Raises VideoError where times run far back or leap ahead.
        """
        own = frame.dts if self._avi or frame.pts is None else frame.pts
        if self._sought and frame.pts is None:
            raise LateSeekError  # only the way from the start tells when this is shown
        if self._newest is None:
            self._newest = own if own is not None else self.first
            return self._newest
        if own is None:
            own = self._newest + round(self.shown_seconds(frame, 0.0) / self.tick)
        elif (self._newest - own) * self.tick > BACKWARD_SECONDS:
            raise VideoError(
                f"{self.path}: times run back from {self.seconds(self._newest):.2f} s to "
                f"{self.seconds(own):.2f} s; re-encode it (ffmpeg -i IN OUT.mp4)"
            )
        elif (own - self._newest) * self.tick > LONGEST_SECONDS:
            raise VideoError(
                f"{self.path}: times jump from {self.seconds(self._newest):.2f} s to "
                f"{self.seconds(own):.2f} s; re-encode it (ffmpeg -i IN OUT.mp4)"
            )
        self._newest = max(own, self._newest + 1)
        return self._newest

    def shown_seconds(self, frame: av.VideoFrame, gap: float) -> float:
        """Seconds a frame is shown: as it says itself, else `gap`, else as is usual."""
        duration = getattr(frame, "duration", 0) or 0  # older PyAV does not tell
        told = 0 < duration * self.tick <= LONGEST_SECONDS
        return duration * self.tick if told else gap or self.usual_seconds

    @property
    def usual_seconds(self) -> float:
        """Seconds a frame at the file's average rate; 0.0 where it has none."""
        return 1 / self.fps if self.fps else 0.0

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
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

    def claimed_duration(self) -> float | None:
        """Seconds from the first frame to the end, as the file says; None where it does not."""
        stream = self.stream
        if self._avi and stream.frames:  # FFmpeg takes an AVI's length from the size of the file
            return stream.frames * self.usual_seconds
        if stream.duration is not None:
            start = stream.start_time if stream.start_time is not None else self.first
            return stream.duration * self.tick + min(0.0, self.seconds(start))
        tag = clock_seconds(stream.metadata.get("DURATION", ""))
        if tag is None and self.container.duration is not None:
            tag = self.container.duration / av.time_base
        return None if tag is None else tag - self.first * self.tick

    def check_end(self, end: float) -> None:
        """Raise VideoError where the frames end (at `end` seconds) well before the file says."""
        claimed = None if self.allow_partial else self._missing_to(end)
        if claimed is not None:
            raise VideoError(self._short(end, claimed))

    def _missing_to(self, end: float) -> float | None:
        """Where the video should end, if frames that end at `end` seconds fall well short of it."""
        claimed = self.claimed_duration()
        if claimed is None:
            return None
        allowed = max(MISSING_SECONDS, MISSING_FRAMES * self.usual_seconds)
        if claimed - end > allowed and not self._longer_without_pictures(claimed - allowed):
            return claimed
        return None

    def _longer_without_pictures(self, claimed: float) -> bool:
        """Whether other streams fill the claimed length (a whole file's length can be theirs)."""
        if self.stream.duration is not None or "DURATION" in self.stream.metadata:
            return False
        return last_packet_end(self.path) - self.first * self.tick >= claimed

    def _broken_off(self, packet: av.Packet) -> str:
        end = self.seconds(packet.pts) if packet.pts is not None else 0.0
        claimed = self.claimed_duration()
        if claimed is None or claimed <= end:
            return f"{self.path}: breaks off at {end:.2f} s; get it again"
        return self._short(end, claimed)

    def _short(self, end: float, claimed: float) -> str:
        return (
            f"{self.path}: breaks off: {end:.2f} of {claimed:.2f} s are there, "
            f"{claimed - end:.2f} s are missing; get it again"
        )
