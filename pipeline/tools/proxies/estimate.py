"""What proxies will take on disk, estimated before they are made from a look at some of the videos."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

from feature_extraction.video.opening import probe
from feature_extraction.video.reader import VideoError
from pipeline.data.proxies.form import proxy_size
from pipeline.data.videos.lengths import Measured

BITS_A_PIXEL = 0.25  # of a proxy's frames: 0.15 to 0.38 of footage, less where nothing moves (benchmarks/proxies.py)
_LOOK = 12  # videos that are opened for their size
_USUAL_FPS = 30.0


def estimated_bytes(
    videos: Mapping[str, Path], lengths: Mapping[str, Measured], side: int
) -> float | None:
    """Bytes that the proxies of videos will take, about; None where nothing is known of their lengths."""
    seconds = [one.seconds for video, one in lengths.items() if video in videos]
    if not seconds:
        return None
    every = sorted(video for video in lengths if video in videos)
    some = every[:: max(1, math.ceil(len(every) / _LOOK))]
    rates = [rate for video in some if (rate := _bytes_a_second(videos[video], side)) is not None]
    if not rates:
        return None
    mean = sum(seconds) / len(seconds)
    return mean * len(videos) * sum(rates) / len(rates)


def free_bytes(folder: Path) -> int:
    """Bytes that are free where a folder lies or will lie."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def size_text(number: float) -> str:
    """Bytes as people read them."""
    power = 0 if number < 1 else min(4, int(math.log(number, 1000)))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _bytes_a_second(path: Path, side: int) -> float | None:
    try:
        info = probe(path)
    except (VideoError, OSError):  # encoding it will say why
        return None
    width, height = proxy_size(info.width, info.height, side)
    return width * height * (info.fps or _USUAL_FPS) * BITS_A_PIXEL / 8
