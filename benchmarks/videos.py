"""Videos for the benchmarks: 60 fps H.264 of moving texture and noise, as x264 encodes by default."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F

FPS = 60
SMALL_FRAME = (456, 256)  # EPIC-KITCHENS as commonly re-scaled
LARGE_FRAME = (1920, 1080)
NOISE = 5.0  # levels; with it, the bits of footage from a head camera


def encode_video(path: Path, size: tuple[int, int], frames: int, *, fps: int = FPS) -> Path:
    """Encode `frames` frames of `size` (width, height) with x264's defaults (a key frame in 250).

    Every plane is a textured scene seen by a swaying camera, something that crosses it, and a
    sensor's noise.
    """
    width, height = size
    rng = np.random.default_rng(0)
    planes = [Plane(rng, width, height), *(Plane(rng, width // 2, height // 2) for _ in "uv")]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            drawn = [plane.draw(rng, number / fps).reshape(-1, width) for plane in planes]
            frame = av.VideoFrame.from_ndarray(np.concatenate(drawn), format="yuv420p")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def megabits(path: Path, frames: int, fps: int = FPS) -> float:
    """Megabits per second of a file."""
    return path.stat().st_size * 8e-6 * fps / frames


class Plane:
    """One plane of the video: luma, or chroma of half the size."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self._width, self._height, self._margin = width, height, height // 8
        self._scene = _texture(rng, height + 2 * self._margin, width + 2 * self._margin)
        self._thing = _texture(rng, height // 3, height // 3)
        self._noise = rng.normal(0, NOISE, (height + 64, width + 64)).astype(np.float32)

    def draw(self, rng: np.random.Generator, seconds: float) -> np.ndarray:
        """The plane at a time, uint8 [height, width]."""
        width, height, margin = self._width, self._height, self._margin
        down = margin + int(0.9 * margin * np.sin(1.3 * seconds))
        right = margin + int(0.9 * margin * np.cos(0.9 * seconds))
        picture = self._scene[down : down + height, right : right + width].copy()
        side, top = len(self._thing), height // 3
        left = int((width - side) * (0.5 + 0.5 * np.sin(2.1 * seconds)))
        picture[top : top + side, left : left + side] = self._thing
        y, x = rng.integers(0, 64, 2)
        picture += self._noise[y : y + height, x : x + width]
        return picture.clip(0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Patches of several scales, float32 [height, width] around 128."""
    total = np.full((height, width), 128.0, dtype=np.float32)
    for cells, strength in ((4, 40.0), (12, 25.0), (40, 12.0), (120, 6.0)):
        patch = torch.from_numpy(rng.normal(0, strength, (1, 1, cells, cells)).astype(np.float32))
        total += F.interpolate(patch, (height, width), mode="bilinear")[0, 0].numpy()
    return total
