"""What decides whether two files hold the same frames at the same times, without decoding them."""

from __future__ import annotations

import hashlib
import os
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from feature_extraction.plain_files import what_else
from feature_extraction.video.frame_times import boundary
from feature_extraction.video.pyav_opening import moving_stream, open_container, orientation
from feature_extraction.video.reader import VideoError


def pictures_of(path: str | os.PathLike[str], fps: float) -> str | None:
    """A digest of a video's compressed pictures, and of which of them is shown at each k / fps seconds.

    A file that another program remuxed (MP4 to MP4, to Matroska) has the digest of the one before.
    None if the file has no presentation times, is damaged, or is not a video: nothing is claimed of it.
    """
    path = Path(path)
    try:
        if what_else(path) is not None:  # a pipe would be waited for
            return None
        container = open_container(path)
    except (VideoError, FileNotFoundError):
        return None
    try:
        return _digest(path, container, fps)
    except (av.FFmpegError, VideoError, IndexError, ValueError):
        return None
    finally:
        container.close()


def _digest(path: Path, container: av.container.InputContainer, fps: float) -> str | None:
    stream = moving_stream(path, container)
    if container.format.name == "avi" or not stream.time_base:
        return None
    head = stream.codec_context
    state = hashlib.sha256(f"{head.name} {head.width}x{head.height}".encode())
    ticks = []
    looked = False
    for packet in container.demux(stream):
        if packet.size == 0 and packet.dts is None:
            continue  # PyAV's mark of the end
        if packet.pts is None or packet.is_corrupt:
            return None
        state.update(f"{packet.size} {packet.is_discard}".encode())
        state.update(memoryview(packet))
        if not packet.is_discard:
            ticks.append(packet.pts)
        if not looked:  # how it is shown is stored beside the frames
            for frame in packet.decode():
                state.update(
                    repr((orientation(frame), frame.color_range, frame.colorspace)).encode()
                )
                looked = True
                break
    if not ticks:
        return None
    seconds = (np.sort(np.array(ticks)) - min(ticks)) * float(stream.time_base)
    state.update(_shown(seconds, fps).tobytes())
    return state.hexdigest()


def _shown(seconds: np.ndarray, fps: float) -> np.ndarray:
    """Which of the frames at these ascending times is nearest to each k / fps."""
    asked = np.arange(round(float(seconds[-1]) * fps) + 1) / fps
    edges = np.array([boundary(*pair) for pair in pairwise(seconds.tolist())])
    return np.searchsorted(edges, asked, side="left").astype(np.int64)
