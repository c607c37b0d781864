"""What proxies will take on disk, estimated before they are made from a look at some of the videos."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

from feature_extraction.video.reader import VideoInfo
from pipeline.data.proxies.form import proxy_size
from pipeline.data.videos.probing import probe_all

BITS_A_PIXEL = 0.25  # of a proxy's frames: 0.15 to 0.38 of footage, less where nothing moves (benchmarks/proxies.py)
_LOOK = 12  # videos that are opened for their size and length
_USUAL_FPS = 30.0


def estimated_bytes(videos: Mapping[str, Path], side: int, workers: int) -> float | None:
    """Bytes that the proxies of videos will take, about, by some of them; None if none of these opens.

    `workers` processes look at these: a file may kill its decoder.
    """
    some = sorted(videos)[:: max(1, math.ceil(len(videos) / _LOOK))]
    infos, _ = probe_all({v: videos[v] for v in some}, "auto", deep=False, workers=workers)
    found = [_bytes(info, side) for info in infos.values()]
    return len(videos) * sum(found) / len(found) if found else None


def free_bytes(folder: Path) -> int:
    """Bytes that are free where a folder is or will lie."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def size_text(number: float) -> str:
    """Bytes as people read them."""
    power = 0 if number < 1 else min(4, int(math.log(number, 1000)))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _bytes(info: VideoInfo, side: int) -> float:
    width, height = proxy_size(info.width, info.height, side)
    frames = (info.duration or 0.0) * (info.fps or _USUAL_FPS)
    return width * height * frames * BITS_A_PIXEL / 8
