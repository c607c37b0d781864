"""Opening a video file with PyAV, and reading what its head says."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from feature_extraction.video.opening import VideoError


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file for reading. Raises VideoError where it holds no video."""
    try:
        # an absolute path is never taken for an address, and a playlist opens no network
        container = av.open(
            str(path.absolute()),
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file"},
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"{path}: not a readable video ({reason(error)}); get it again or convert it"
        ) from error
    if container.format.name == "tty":  # FFmpeg would draw a text file on a screen
        container.close()
        raise VideoError(f"{path}: is a text file, not a video")
    return container


def moving_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    """Give the first video stream that moves (a cover picture is one, too)."""
    streams = [
        stream
        for stream in container.streams.video
        if "attached_pic" not in str(getattr(stream, "disposition", ""))
    ]
    if not streams:
        raise VideoError(f"{path}: has no video stream (only sound or data, or it is damaged)")
    if streams[0].codec_context is None:
        raise VideoError(f"{path}: no decoder for this kind of video; convert it to H.264")
    if not streams[0].time_base:
        raise VideoError(f"{path}: has no time base; convert it (ffmpeg -i IN OUT.mp4)")
    return streams[0]


def orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Read how to show a frame: (swap rows and columns, then flip rows, then flip columns)."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except (ValueError, KeyError):  # side data of a kind this PyAV has no name for
        matrix = None
    if matrix is None:
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
