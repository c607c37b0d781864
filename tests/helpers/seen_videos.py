"""Videos of several shapes for tests of what the network sees, and segments of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from feature_extraction.video.frame_folder import FrameFolder
from pipeline.data.clips.segments import Segments

FPS, SECONDS = 10, 6
SIZES = {"wide": (64, 32), "tall": (32, 48), "odd": (53, 37), "square": (40, 40)}  # width, height
# Of the demo's configuration, so that clips of these videos are made.
SMALL = {
    "finetune.fps": 10, "finetune.frames": 4, "finetune.interval": 2, "finetune.crop": 24,
    "finetune.short_side": [32, 36], "finetune.eval_short_side": 32, "finetune.batch_size": 4,
    "extract.fps": 10, "extract.frames": 4, "extract.interval": 2, "extract.stride": 4,
    "extract.short_side": 32, "runtime.workers": 0,
}  # fmt: skip


def pictures(size: tuple[int, int], seed: int, count: int = FPS * SECONDS) -> np.ndarray:
    """Coarse noise that changes with every frame: uint8 [count, height, width, 3]."""
    width, height = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, -(-height // 8), -(-width // 8), 3), np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]


def encode(path: Path, frames: np.ndarray, *, rate: int = FPS, lossless: bool = False) -> Path:
    """Write frames uint8 [n, H, W, 3] as H.264; lossless ones keep every pixel's RGB."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb" if lossless else "libx264", rate=Fraction(rate))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "rgb24" if lossless else "yuv444p"
        stream.options = {"threads": "1", **({"qp": "0"} if lossless else {})}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def draw(folder: Path, rate: int = FPS) -> dict[str, Path | FrameFolder]:
    """A video of each of SIZES, the square one as a folder of frames."""
    paths: dict[str, Path | FrameFolder] = {}
    for seed, (name, size) in enumerate(SIZES.items()):
        frames = pictures(size, seed)
        if name == "square":
            (folder / name).mkdir()
            for number, frame in enumerate(frames, start=1):
                Image.fromarray(frame).save(folder / name / f"frame_{number:010d}.jpg")
            paths[name] = FrameFolder(folder / name, (rate,))
        else:
            paths[name] = encode(folder / f"{name}.mp4", frames, rate=rate)
    return paths


def segments_of(paths: dict, centers: np.ndarray, lengths: np.ndarray, classes: int) -> Segments:
    """Segments of the videos by turns, with classes drawn at random."""
    names = list(paths)
    count = len(centers)
    targets = np.random.default_rng(7).integers(0, classes, (count, 1))
    videos = [names[number % len(names)] for number in range(count)]
    return Segments(videos, centers - lengths / 2, centers + lengths / 2, targets, paths)
