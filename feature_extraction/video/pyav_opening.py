"""Opening a video file with PyAV, and reading what its head says: kind, clock, rate, length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.stream import Disposition

from feature_extraction.video.reader import VideoError

PYAV_VERSION = int(av.__version__.split(".")[0])
# containers whose packets carry true presentation times, and that seek by them
TIMED_CONTAINERS = ("mp4", "matroska")
# a file may fall this short of what it says before it counts as broken off
MISSING_SECONDS, MISSING_FRAMES = 0.2, 4
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

    Raises VideoError where there is no stream to decode.
    """

    def __init__(self, path: Path, container: InputContainer) -> None:
        self.path = path
        self.stream = moving_stream(path, container)
        self.format = container.format.name
        self.timed = any(name in self.format for name in TIMED_CONTAINERS)
        self.mp4, self.avi = "mp4" in self.format, self.format == "avi"
        self.flags_damage = self.format == "mpegts"  # others flag a last, short packet, too
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
    def usual_seconds(self) -> float:
        """Seconds a frame at the file's average rate; 0.0 where it has none."""
        return 1 / self.fps if self.fps else 0.0

    def claimed_duration(self) -> float | None:
        """Seconds from the first frame to the end, as the file says; None where it does not."""
        stream = self.stream
        if self.avi and stream.frames:  # FFmpeg takes an AVI's length from the size of the file
            return stream.frames * self.usual_seconds
        if stream.duration is not None:
            start = stream.start_time if stream.start_time is not None else self.first
            return stream.duration * self.tick + min(0.0, self.seconds(start))
        tag = clock_seconds(stream.metadata.get("DURATION", ""))
        if tag is None and self._container.duration is not None:
            tag = self._container.duration / av.time_base
        return None if tag is None else tag - self.first * self.tick

    def missing_to(self, end: float) -> float | None:
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

    def broken_off(self, end: float, claimed: float | None) -> VideoError:
        """The error of a file whose frames end at `end` seconds, `claimed` being what it says."""
        if claimed is None or claimed <= end:
            return VideoError(f"{self.path}: breaks off at {end:.2f} s; get it again")
        return VideoError(
            f"{self.path}: breaks off: {end:.2f} of {claimed:.2f} s are there, "
            f"{claimed - end:.2f} s are missing; get it again"
        )


def open_container(path: Path) -> InputContainer:
    """Open a file for reading. Raises VideoError where it holds no video."""
    # PyAV 19 takes metadata that are no UTF-8 as they are; before, it had to be asked
    lenient: dict[str, Any] = {} if PYAV_VERSION >= 19 else {"metadata_errors": "replace"}
    try:
        # an absolute path is never taken for an address
        container: InputContainer = av.open(
            str(path.absolute()),
            "r",
            container_options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS},
            **lenient,
        )
    except av.ArgumentError as error:  # what FFmpeg says of a kind that is not in the list
        raise VideoError(
            f"{path}: not a readable video (of no kind that is read: a playlist, a picture, text?); "
            "get it again or convert it"
        ) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"{path}: not a readable video ({reason(error)}); get it again or convert it"
        ) from error
    return container


def moving_stream(path: Path, container: InputContainer) -> av.VideoStream:
    """Give the first video stream that moves (a cover picture is one, too)."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise VideoError(f"{path}: has no video stream (only sound or data, or it is damaged)")
    if streams[0].codec_context is None:
        raise VideoError(f"{path}: no decoder for this kind of video; convert it to H.264")
    return streams[0]


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


def clock_seconds(text: str) -> float | None:
    """Read Matroska's H:MM:SS.fraction; None for anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def last_packet_end(path: Path) -> float:
    """Seconds at which the last packet of any stream ends, by a file's own clock; 0.0 without any."""
    container = open_container(path)
    try:
        ends = [
            float((packet.pts + (packet.duration or 0)) * packet.time_base)
            for packet in container.demux()
            if packet.pts is not None
        ]
    finally:
        container.close()
    return max(ends, default=0.0)


def reason(error: BaseException) -> str:
    """What an error says, in one line without a full stop."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].removesuffix(".")
