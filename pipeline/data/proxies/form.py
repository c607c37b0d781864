"""What a proxy is: its size, how often it has a key frame, where it is, and what it is made by."""

from __future__ import annotations

from pathlib import Path

from pipeline.configuration.settings import Config
from pipeline.run_folder.identity import fingerprint

FOLDER = "proxies"  # below the run's
ENDING = ".mp4"
KEY_EVERY = 8  # frames from one key frame to the next
QUALITY = 18  # x264's constant rate factor
CODEC = "libx264"
# No B frames: what is shown comes in the order of the file, so no time moves and none is cut by an edit list.
OPTIONS = {
    "crf": str(QUALITY),
    "g": str(KEY_EVERY),
    "bf": "0",
    "preset": "veryfast",
    "tune": "fastdecode",
    "threads": "1",  # videos are encoded side by side
    "rc-lookahead": "8",
}


def proxies_folder(config: Config, run: Path) -> Path:
    """Where the proxies of a run are: `dataset.proxies`, or a folder of its own."""
    return config.dataset.proxies or run / FOLDER


def proxy_path(folder: Path, video: str) -> Path:
    """The proxy of a video id. Raises ValueError for ids that would leave the folder."""
    # here: what a proxy is made by is asked of every run, and this loads HDF5
    from feature_extraction.store import SUFFIX, feature_path

    named = feature_path(folder, video)
    return named.with_name(named.name.removesuffix(SUFFIX) + ENDING)


def proxy_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of the proxy of a video of this size (as displayed): even, the shorter side `side` pixels.

    A video that is smaller keeps its size; an odd side gets one more pixel.
    """
    if min(width, height) <= side:
        return width + width % 2, height + height % 2
    scale = side / min(width, height)
    wide, high = (max(2, 2 * round(length * scale / 2)) for length in (width, height))
    return (side, high) if width <= height else (wide, side)


def made_by(side: int) -> str:
    """A digest of all that decides what a proxy of a video is."""
    return fingerprint({"short side": side, "codec": CODEC, "options": OPTIONS})
