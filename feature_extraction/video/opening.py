"""Opening a video: which reader it takes; PyAV, decord by name, or a folder of frames."""

from __future__ import annotations

import itertools
import math
import os
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extraction.elsewhere import Elsewhere
from feature_extraction.plain_files import what_else
from feature_extraction.video.frame_folder import FrameFolder, FramesReader
from feature_extraction.video.reader import Reader, VideoError, VideoInfo

if TYPE_CHECKING:
    import torch

DECODERS = ("auto", "pyav", "decord", "nvdec")


def open_video(
    path: str | os.PathLike[str],
    decoder: str = "auto",
    *,
    allow_partial: bool = False,
    threads: int = 1,
    device: str | torch.device = "cuda",
) -> Reader:
    """Open a video and decode its first frame; use the result in a `with` statement.

    path: the file, or a `FrameFolder`, for which the options have no effect
    decoder: "auto" (PyAV), "pyav", "decord", or "nvdec" (PyAV on the CUDA `device`)
    allow_partial: use what can be read of a damaged file; threads: how many decode, 0: as FFmpeg chooses.
    An `Elsewhere` is held until the reader is closed. Raises VideoError.
    """
    if isinstance(path, Elsewhere):
        with ExitStack() as stack:
            local = stack.enter_context(path.held())
            reader = open_video(local, decoder, allow_partial=allow_partial, threads=threads)
            reader.info = replace(reader.info, path=str(path))
            reader.keep(stack.pop_all())
            return reader
    if decoder not in DECODERS:
        raise VideoError(f"decoder is {decoder!r}, must be one of {', '.join(DECODERS)}")
    if isinstance(path, FrameFolder):
        return FramesReader(path)
    path = Path(path)
    check_file(path)
    # imported here: neither decoder is loaded into a process that reads no video
    if decoder == "decord":
        from feature_extraction.video.decord_reader import DecordReader

        return DecordReader(path)  # takes no part of a broken file, and reads with one thread
    if decoder == "nvdec":
        from feature_extraction.video.hardware.nvdec_reader import NvdecReader

        return NvdecReader(path, allow_partial=allow_partial, device=device)
    from feature_extraction.video.pyav_reader import PyavReader

    return PyavReader(path, allow_partial=allow_partial, threads=threads)


def probe(
    path: str | os.PathLike[str],
    decoder: str = "auto",
    exact: bool = False,
    *,
    allow_partial: bool = False,
) -> VideoInfo:
    """Size, rate and duration of a video; the first frame is decoded.

    `exact` decodes the whole file: the duration is then the true one, and a file that breaks off
    is found out (VideoError). Otherwise it is what the file says, or, where it says nothing,
    what its packets say.
    """
    with open_video(path, decoder, allow_partial=allow_partial) as reader:
        info = reader.info
        if not exact:
            return info if info.duration is not None else replace(info, duration=reader.measure())
        # asking for one time beyond any video runs through a file and converts no frame; of a folder
        # of frames, every one is asked for
        times = itertools.count() if info.decoder == "frames" else ()
        for _ in reader.frames_at(itertools.chain((k / info.fps for k in times), [math.inf])):
            pass
        return replace(info, duration=reader.end_time)


def first_shown(path: str | os.PathLike[str]) -> tuple[float, float]:
    """When the first frame is shown, and when what comes first in the file begins: seconds of the file's own clock.

    Both zero of most files. The clock starts later in one cut out of a longer one, and sound may begin before the
    pictures. All other times of a video count from its first frame. Raises VideoError.
    """
    from feature_extraction.video.pyav_file import VideoFile

    path = Path(path)
    check_file(path)
    with closing(VideoFile(path, allow_partial=True, threads=1)) as file:
        return file.head.first * file.head.tick, file.head.start


def check_file(path: Path) -> None:
    """Raise VideoError where a path is not a file that may be a video; nothing of it is decoded."""
    try:
        other = what_else(path)
    except FileNotFoundError as error:
        raise VideoError(f"{path}: no such video file") from error
    if other is not None:
        folder = " (of frames? give a FrameFolder)" if path.is_dir() else ""
        raise VideoError(f"{path}: is {other}, not a video file{folder}")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path}: no permission to read this video file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the video file is empty (0 bytes); get the file again")
