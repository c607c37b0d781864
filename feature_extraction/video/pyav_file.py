"""One video file opened with PyAV: its packets, frames, pictures and where it is damaged."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import av
from av.container import InputContainer
from av.video.frame import PictureType

from feature_extraction.video.content.clock import Clock
from feature_extraction.video.content.joins import Gaps
from feature_extraction.video.content.key_frames import starts_alone
from feature_extraction.video.content.pictures import Display
from feature_extraction.video.frame_times import TIME_EPSILON, Damage, LateSeekError
from feature_extraction.video.pyav_opening import VideoHead, open_container, orientation, reason
from feature_extraction.video.reader import DamagedVideoError, Picture, VideoError, VideoInfo

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
        self._container = self._opened(path)
        self._packets: Generator[Packet, None, None] = self._read()
        self.end: float | None = None  # seconds, set by a pass that gets there
        self._damage = Damage()
        self._sound_from: int | None = None  # ticks of the first key frame since opening or seeking
        self._unproven = False  # whether the first frame after a seek has yet to be looked at
        try:
            self.head = VideoHead(path, self._container)
            self._stream = self.head.stream
            self._stream.thread_type = "AUTO" if threads != 1 else "NONE"
            self._stream.codec_context.thread_count = threads
            self._clock, self._gaps = Clock(self.head), Gaps(self.head)
            self._begun = self._decode_first()
        except BaseException:
            self.close()
            raise

    def _opened(self, path: Path) -> InputContainer:
        return open_container(path)

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
                raise VideoError(f"{self.path}: no frame of this video decodes; get the file again")
        self.first_frame = frames[0]
        self.head.first = self.ticks(self.first_frame)
        self._clock.restart()
        if undecodable is not None:
            self._note(undecodable, "its first key frame is damaged")
        for item in begun:
            self._look(item.packet, item.frames or [])
        self._display = Display(self.first_frame, orientation(self.first_frame))
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
                raise DamagedVideoError(f"{self.path}: reading failed ({reason(error)})") from error

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
            if self._unproven:
                raise LateSeekError from error
            if not isinstance(error, EOFError):
                self._note(item.packet, reason(error))
            return []
        self._look(item.packet, frames)
        if self._unproven and frames:
            self._unproven = False
            if not (frames[0].key_frame and frames[0].pict_type == PictureType.I):
                raise LateSeekError
        return frames

    def _look(self, packet: Packet | None, frames: list[av.VideoFrame]) -> None:
        """Take note of damage that raised no error: the decoder conceals it, and flags the frame."""
        flagged = self.head.flags_damage and packet is not None and packet.is_corrupt
        gap = self._gaps.before(packet, flagged=flagged) if packet is not None else None
        if packet is not None and flagged and not self.head.only_joined:
            self._note(packet, "packets are missing or damaged")
        elif packet is not None and packet.is_keyframe:
            time = self._time(packet)
            if gap is not None:
                self._note(gap[0], f"{gap[1]:.2f} s are missing between joined pieces")
            if self._sound_from is None:
                self._sound_from = time
            # without stored times, a lost frame moves all after it
            if not self.head.decode_times and self._starts_alone(packet) is not False:
                self._damage.sound_key(self.head.seconds(time))
        for frame in frames:
            # What comes before the key frame that was sought to is made of pictures never read.
            known = self._sound_from is not None and self._time(frame) >= self._sound_from
            if frame.is_corrupt and known:
                self._note(frame, "the data are damaged")

    def _starts_alone(self, packet: Packet) -> bool | None:
        """Whether decoding may start at a key packet; None leaves it to the decoder. See `starts_alone`."""
        if not self.head.timed:
            return None  # its mark is not the container's: FFmpeg looked at the picture
        extradata = self._stream.codec_context.extradata or b""
        return starts_alone(self.head.codec, bytes(packet), bytes(extradata))

    def _note(self, at: Packet | av.VideoFrame | int | None, why: str) -> None:
        """Note damage at a packet or frame; raise VideoError unless a part will do."""
        ticks = at if isinstance(at, int) else self._clock.newest if at is None else self._time(at)
        seconds = max(0.0, self.head.seconds(self.head.first if ticks is None else ticks))
        if not self.allow_partial:
            raise DamagedVideoError(
                f"{self.path}: does not decode at {seconds:.2f} s ({why}); get the file again"
            )
        self._damage.begin(seconds)

    def _time(self, at: Packet | av.VideoFrame) -> int:
        """Ticks of a packet or a frame, if it has them."""
        own = at.dts if self.head.decode_times or at.pts is None else at.pts
        return own if own is not None else self._clock.newest or self.head.first

    def damaged(self, end: float) -> list[tuple[float, float]]:
        """Spans of seconds that did not decode, or are missing, of a pass that ended at `end` seconds."""
        lost = self.head.lost_from
        if lost is not None and lost < end:
            self._damage.begin(lost)
        return self._damage.spans(end, self.head.missing_to(end))

    def damaged_so_far(self) -> list[tuple[float, float]]:
        """Spans of seconds that did not decode of what was read; the last may go on without end."""
        return self._damage.spans(math.inf, None)

    def seek(self, seconds: float, wanted: float) -> bool:
        """Go to a picture at or before `seconds` that decoding can start at; False where the file cannot.

        False, too, where the picture is shown after the time `wanted`.

        The container's word that it is one is not enough: the packet itself has to be.
        """
        self._packets.close()
        self._begun = []
        ticks = self.head.first + math.floor(seconds / self.head.tick)
        try:
            self._container.seek(ticks, stream=self._stream)
        except (av.FFmpegError, OverflowError):
            return False
        self._clock.restart(sought=True)
        self._sound_from = None
        self._packets = self._read()
        first = next(self._packets, None)
        if (
            first is None
            or first.pts is None
            or self.head.seconds(first.pts) > wanted + TIME_EPSILON
        ):
            return False
        alone = self._starts_alone(first)
        self._unproven = alone is None
        self._begun = [Item(first, None)]
        return alone is not False

    def ticks(self, frame: av.VideoFrame) -> int:
        """See Clock.ticks."""
        return self._clock.ticks(frame)

    def shown_seconds(self, frame: av.VideoFrame, gap: float) -> float:
        """See Clock.shown_seconds."""
        return self._clock.shown_seconds(frame, gap)

    def picture(self, frame: av.VideoFrame) -> Picture:
        """Convert a frame to RGB uint8 [H, W, 3] as displayed, at the size of the first frame."""
        return self._display.picture(frame)

    def info(self, decoder: str) -> VideoInfo:
        """What the file says about itself, for the reader of this name."""
        width, height = self._display.size
        duration = self.head.known_duration()
        return VideoInfo(str(self.path), width, height, self.head.fps, duration, decoder)

    def check_end(self, end: float) -> None:
        """Raise VideoError where the frames end (at `end` seconds) well before the file says, or last ones lack."""
        claimed, lost = self.head.missing_to(end), self.head.lost_from
        there = end if lost is None else min(lost, end)
        if (claimed is not None or there < end) and not self.allow_partial:
            raise self.head.broken_off(there, end if claimed is None else claimed)
