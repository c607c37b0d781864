"""Opening a video file with PyAV, and reading what its head says: kind, clock, rate, length."""

from __future__ import annotations

import errno
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer

from feature_extraction.video.content.clock import clock_seconds, is_packed
from feature_extraction.video.content.endings import is_whole
from feature_extraction.video.content.joins import only_joins
from feature_extraction.video.content.kinds import what_instead
from feature_extraction.video.content.packet_ends import (
    first_missing,
    last_end,
    longest_without_key,
    pictures_end,
)
from feature_extraction.video.content.streams import video_stream
from feature_extraction.video.reader import DamagedVideoError, VideoError

PYAV_VERSION = int(av.__version__.split(".")[0])
# containers whose packets carry true presentation times, and that seek by them
TIMED_CONTAINERS = ("mp4", "matroska")
# a file may fall this short of what it says before it counts as broken off
MISSING_SECONDS, MISSING_FRAMES = 0.2, 4
CUT_FRAMES = 0.6  # the same, of a file that surely was cut
# containers with one length for all their streams, and those without any, where FFmpeg finds what is there
SHARED_LENGTHS, FOUND_LENGTHS = ("asf", "flv"), ("mpegts", "mpeg", "ogg")
# FFmpeg's names of the kinds of file that are read: each holds its pictures itself. Left out is what names other
# files or addresses (playlists, hls, dash, concat, imf, sdp, vobsub, numbered images, ...), asks a device, draws
# text, or holds a single picture; and what games and sound alone are stored in.
CONTAINERS = (
    # phones, cameras, the web, editing
    "mov,mp4,matroska,webm,avi,flv,live_flv,kux,asf,asf_o,ogg,nut,nuv,nsv,rm,ivr,swf,gif,apng,jpegxl_anim,"
    # broadcasting, discs, recorders
    "mpegts,mpeg,mpegvideo,mxf,gxf,lxf,wtv,ty,pva,pmp,dv,mods,moflex,mtv,mv,vivo,lmlm4,"
    # surveillance, science, cinema
    "dhav,iv8,luodat,ifv,ser,cine,r3d,film_cpk,filmstrip,roq,rl2,flic,thp,usm,smjpeg,mpjpeg,ingenient,ipu,"
    # streams without a container
    "h261,h263,h264,hevc,vvc,evc,av1,obu,ivf,m4v,cavsvideo,avs,avs2,avs3,vc1,vc1test,dirac,dnxhd,apv,mjpeg,"
    "mjpeg_2000,yuv4mpegpipe"
)


class VideoHead:
    """What the head of an open file says of its video stream: kind, clock, rate and length.

    Raises VideoError if there is no stream to decode.
    """

    def __init__(self, path: Path, container: InputContainer) -> None:
        self.path = path
        self.stream = moving_stream(path, container)
        self.format = container.format.name
        self.mp4, self.avi = "mp4" in self.format, self.format == "avi"
        extradata = bytes(self.stream.codec_context.extradata or b"")
        self.decode_times = self.avi or is_packed(self.codec, extradata)
        self.timed = not self.decode_times and any(n in self.format for n in TIMED_CONTAINERS)
        self.flags_damage = self.format == "mpegts"  # others flag a last, short packet, too
        self.lengths_found = self.format in FOUND_LENGTHS
        self.shared = any(name in self.format for name in SHARED_LENGTHS)
        if not self.stream.time_base:
            raise VideoError(f"{path}: has no time base; convert it (ffmpeg -i IN OUT.mp4)")
        self.tick = float(self.stream.time_base)
        self.fps = float(self.stream.average_rate or self.stream.guessed_rate or 0)
        self.first = 0  # ticks of the first frame shown; set once it is decoded
        self._container = container

    def seconds(self, ticks: int) -> float:
        """Seconds from the first frame of a time in ticks of the stream."""
        return (ticks - self.first) * self.tick

    @property
    def start(self) -> float:
        """Seconds of the file's clock at which the first of its streams begins; the first frame's where it does not say."""
        begin = self._container.start_time
        return self.first * self.tick if begin is None else begin / av.time_base

    @property
    def usual_seconds(self) -> float:
        """Seconds per frame at the file's average rate; 0.0 where it has none."""
        return 1 / self.fps if self.fps else 0.0

    @property
    def codec(self) -> str:
        """FFmpeg's name of what the pictures are compressed with, whatever decoder is used."""
        return self.stream.codec_context.codec.canonical_name

    @cached_property
    def whole(self) -> bool | None:
        """Whether the file ends where its structure says; None if that does not show it."""
        return is_whole(self.path, self.format)

    @cached_property
    def only_joined(self) -> bool:
        """Whether a transport stream's packets are flagged only because segments were joined."""
        try:
            return only_joins(self.path, self.stream.id)
        except (OSError, ValueError):
            return False

    def known_duration(self) -> float | None:
        """Seconds from the first frame to the end, where the file says so of the pictures themselves."""
        starts_late = self.mp4 and (self.stream.start_time or 0) > 0
        return None if self.shared or starts_late else self.claimed_duration()

    def claimed_duration(self) -> float | None:
        """Seconds from the first frame to the end, as the file says, perhaps of its sound; None if it does not."""
        stream = self.stream
        if self.avi:  # FFmpeg takes an AVI's length from the size of the file
            return stream.frames * self.usual_seconds or None
        if stream.duration is not None:
            start = stream.start_time if stream.start_time is not None else self.first
            return stream.duration * self.tick + min(0.0, self.seconds(start))
        tag = clock_seconds(stream.metadata.get("DURATION", ""))
        if tag is None and self._container.duration is not None:
            tag = self._container.duration / av.time_base
        return None if tag is None else tag - self.first * self.tick

    def measured_duration(self) -> float | None:
        """Seconds from the first frame to the end by all packets of the file; None if they do not show it."""
        with closing(open_container(self.path)) as container:
            try:
                end = pictures_end(container, self.stream.index, decode_times=self.decode_times)
            except (av.FFmpegError, IndexError):  # it is damaged; decoding says where
                return None
        return None if end is None else self.seconds(end)

    def key_frame_seconds(self) -> float | None:
        """The longest time from one key frame to the next, by the marks in its index."""
        if not self.timed:
            return None  # no seek is tried
        with closing(open_container(self.path)) as container:
            try:
                return longest_without_key(container, self.stream.index, self.claimed_duration())
            except av.FFmpegError:  # it cannot be sought in
                return None

    @cached_property
    def lost_from(self) -> float | None:
        """Seconds of the first picture that a cut took from between others; None if it took none."""
        if self.whole is not False or self.lengths_found or self.avi:
            return None
        with closing(open_container(self.path)) as container:
            try:
                lost = first_missing(container, self.stream.index)
            except (av.FFmpegError, IndexError):
                lost = None  # it is damaged; decoding says where
        return None if lost is None else self.seconds(lost)

    def missing_to(self, end: float) -> float | None:
        """Where the video should end, if frames that end at `end` seconds fall short of it; `end` if that is not known.

        A file that is whole falls short of nothing, whatever lengths it names.
        """
        if self.whole and not self.avi:  # an AVI's list of frames can be whole and wrong
            return None
        claimed = self.claimed_duration()
        if self.whole is False:
            if claimed is None or self.lengths_found or (self.mp4 and not self.stream.frames):
                return max(end, claimed or 0.0)  # in fragments, too, it says what is there
            return claimed if claimed - end > CUT_FRAMES * self.usual_seconds else None
        allowed = max(MISSING_SECONDS, MISSING_FRAMES * self.usual_seconds)
        if claimed is None or claimed - end <= allowed:
            return None
        return None if self._longer_without_pictures(claimed - allowed) else claimed

    def _longer_without_pictures(self, claimed: float) -> bool:
        """Whether other streams fill the claimed length (a whole file's length can be theirs)."""
        own = self.stream.duration is not None or "DURATION" in self.stream.metadata
        if own and not self.shared:
            return False
        with closing(open_container(self.path)) as container:
            return last_end(container) - self.first * self.tick >= claimed

    def broken_off(self, end: float, claimed: float | None) -> DamagedVideoError:
        """The error of a file whose frames end at `end` seconds, `claimed` being what it says."""
        if claimed is None or claimed - end < 0.005:  # nothing, as it is written
            text = f"is truncated at {end:.2f} s"
        else:
            text = f"is truncated: {end:.2f} of {claimed:.2f} s exist, {claimed - end:.2f} s are missing"
        return DamagedVideoError(f"{self.path}: {text}; get the file again")


def open_container(path: Path, hardware: Any = None) -> InputContainer:
    """Open a file for reading; `hardware`: an `HWAccel` that decodes. Raises VideoError if it holds no video."""
    # PyAV 19 takes metadata that are not UTF-8 as they are; before, it had to be asked
    more: dict[str, Any] = {} if PYAV_VERSION >= 19 else {"metadata_errors": "replace"}
    try:
        # an absolute path is never taken for an address
        container: InputContainer = av.open(
            str(path.absolute()),
            "r",
            container_options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS},
            **(more if hardware is None else more | {"hwaccel": hardware}),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        # what FFmpeg says of a kind that is not in the list; PyAV 15 has no name for it
        not_read = getattr(error, "errno", None) == errno.EINVAL
        unknown = "of an unsupported kind: a playlist, an image, only sound, text?"
        raise _no_video(path, unknown if not_read else reason(error)) from error
    return container


def _no_video(path: Path, said: str) -> VideoError:
    found, fix = what_instead(path, said)
    return VideoError(f"{path}: not a readable video ({found}); {fix}")


def moving_stream(path: Path, container: InputContainer) -> av.VideoStream:
    """Give the stream of video. Raises VideoError if none moves, or none decodes it."""
    stream = video_stream(container)
    if stream is None:
        still = ": a cover image or a preview does not count" if container.streams.video else ""
        raise VideoError(
            f"{path}: has no video stream (only sound or data, or it is damaged{still})"
        )
    if stream.codec_context is None:
        raise VideoError(f"{path}: no decoder for this kind of video; convert it to H.264")
    return stream


def orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Read how to show a frame: (swap rows and columns, then flip rows, then flip columns)."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except (ValueError, KeyError):  # side data of a kind this PyAV has no name for
        matrix = None
    if not isinstance(matrix, Buffer):
        return False, False, False
    # row vectors: a pixel (x, y) is shown at (a x + c y, b x + d y)
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0


def reason(error: BaseException) -> str:
    """What an error says, in one line without a full stop."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].removesuffix(".")
