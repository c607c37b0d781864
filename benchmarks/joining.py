"""Untrimmed videos joined from pieces of real clips, in three manners.

Training takes its pieces from the first half of each clip, validation from the second. `easy`: actions
of 2 to 4.5 s with other footage between them. `hard`: actions of 1 to 2 s, the first class eight times as
frequent as the last, a third of them overlapping the one before. `rough`: as hard, each piece zoomed,
mirrored and lit at random, videos of several sizes and rates.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

ACTIONS = (
    "flipping_a_pancake.mkv",
    "making_cake.mp4",
    "playing_guitar.mp4",
    "R6llTwEh07w.mp4",
    "v_GGSY1Qvo990.mp4",
    "v_SoccerJuggling_g23_c01.avi",
)
BETWEEN = ("demo.mp4", "test.avi")
VIDEOS = {"training": 14, "validation": 6}
SIZES = ((128, 96), (160, 90), (96, 128), (192, 144))  # width, height of rough videos
RATES = (12.5, 15.0, 24.0, 30.0)


@dataclass(frozen=True)
class Manner:
    """How pieces are joined: seconds of an action and of what is between, actions per video, frequencies, overlap.

    `ratio` is the frequency of a class over that of the next; `overlap` the share of actions that begin
    before the one before them ends, the two blended; `rough` zooms, mirrors and lights each piece at random,
    and gives each video a size and a rate of its own.
    """

    seconds: tuple[float, float]
    between: tuple[float, float]
    actions: int
    ratio: float
    overlap: float
    rough: bool = False


MANNERS = {
    "easy": Manner((2.0, 4.5), (2.0, 4.5), 5, 1.0, 0.0),
    "hard": Manner((1.0, 2.0), (1.0, 3.0), 10, 8 ** (1 / 5), 0.33),
    "rough": Manner((1.0, 2.0), (1.0, 3.0), 10, 8 ** (1 / 5), 0.33, rough=True),
}


def read_clip(path: Path, fps: float, size: tuple[int, int]) -> np.ndarray:
    """All frames uint8 [n, height, width, 3] of a clip at `fps`, by nearest presentation time."""
    times, images = [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            times.append(frame.time)
            images.append(frame.to_ndarray(format="rgb24", width=size[0], height=size[1]))
    shown = np.array(times) - times[0]
    asked = np.arange(0, shown[-1], 1 / fps)
    return np.stack([images[np.abs(shown - time).argmin()] for time in asked])


def make_footage(
    clips: Path,
    folder: Path,
    manner: str,
    *,
    seed: int = 0,
    fps: float = 15.0,
    size: tuple[int, int] = (128, 96),
) -> None:
    """Write folder/videos/NAME.mp4 and folder/own.csv (video, start, end, label, subset; seconds)."""
    frames = {name: read_clip(clips / name, fps, size) for name in (*ACTIONS, *BETWEEN)}
    rng = np.random.default_rng([seed, sorted(MANNERS).index(manner)])
    (folder / "videos").mkdir(parents=True)
    rows: list[list[object]] = [["video", "start", "end", "label", "subset"]]
    for subset, count in VIDEOS.items():
        for number in range(count):
            name = f"{subset}_{number:02d}"
            video, found = _video(rng, frames, subset, MANNERS[manner], fps)
            path = folder / "videos" / f"{name}.mp4"
            if MANNERS[manner].rough:
                wide, high = SIZES[int(rng.integers(len(SIZES)))]
                rate = RATES[int(rng.integers(len(RATES)))]
                _write(path, _resampled(video, fps, rate, (wide, high)), rate)
            else:
                _write(path, video, fps)
            rows += [[name, f"{a:.3f}", f"{b:.3f}", label, subset] for a, b, label in found]
    with (folder / "own.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _video(
    rng: np.random.Generator,
    frames: dict[str, np.ndarray],
    subset: str,
    manner: Manner,
    fps: float,
) -> tuple[np.ndarray, list[tuple[float, float, str]]]:
    """One untrimmed video [n, H, W, 3] and its segments in seconds."""
    weights = manner.ratio ** -np.arange(len(ACTIONS))
    weights /= weights.sum()
    video = _piece(rng, frames[str(rng.choice(BETWEEN))], subset, manner.between, fps)
    found: list[tuple[float, float, str]] = []
    last = ""
    for _ in range(manner.actions):
        action = str(rng.choice(ACTIONS, p=weights))
        piece = _piece(rng, frames[action], subset, manner.seconds, fps)
        if manner.rough:
            piece = _roughened(rng, piece)
        shared = 0
        if found and action != last and rng.uniform() < manner.overlap:
            shared = int(
                rng.uniform(0.2, 0.5) * min(len(piece), found[-1][1] * fps - found[-1][0] * fps)
            )
        elif found:
            between = _piece(rng, frames[str(rng.choice(BETWEEN))], subset, manner.between, fps)
            video = np.concatenate([video, between])
        start = len(video) - shared
        if shared:
            blend = (video[start:].astype(np.uint16) + piece[:shared]) // 2
            video = np.concatenate([video[:start], blend.astype(np.uint8), piece[shared:]])
        else:
            video = np.concatenate([video, piece])
        found.append((start / fps, len(video) / fps, Path(action).stem))
        last = action
    between = _piece(rng, frames[str(rng.choice(BETWEEN))], subset, manner.between, fps)
    return np.concatenate([video, between]), found


def _piece(
    rng: np.random.Generator,
    frames: np.ndarray,
    subset: str,
    seconds: tuple[float, float],
    fps: float,
) -> np.ndarray:
    """Some seconds out of the half of a clip that belongs to a subset."""
    half = len(frames) // 2
    part = frames[:half] if subset == "training" else frames[half:]
    length = min(len(part), int(rng.uniform(*seconds) * fps))
    start = int(rng.integers(len(part) - length + 1))
    return part[start : start + length]


def _roughened(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    """A piece [n, H, W, 3] zoomed to 65 to 100 % of its frame, mirrored half the time, lit by 0.7 to 1.3."""
    height, width = frames.shape[1:3]
    part = rng.uniform(0.65, 1.0)
    high, wide = int(part * height), int(part * width)
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    rows = top + (np.arange(height) * high) // height
    columns = left + (np.arange(width) * wide) // width
    if rng.uniform() < 0.5:
        columns = columns[::-1]
    zoomed = frames[:, rows[:, None], columns[None]]
    return np.clip(zoomed * rng.uniform(0.7, 1.3), 0, 255).astype(np.uint8)


def _resampled(frames: np.ndarray, fps: float, rate: float, size: tuple[int, int]) -> np.ndarray:
    """Frames [n, H, W, 3] at another rate and size (width, height), by the nearest."""
    asked = np.minimum(np.round(np.arange(0, len(frames) / fps, 1 / rate) * fps), len(frames) - 1)
    rows = (np.arange(size[1]) * frames.shape[1]) // size[1]
    columns = (np.arange(size[0]) * frames.shape[2]) // size[0]
    return frames[asked.astype(int)[:, None, None], rows[None, :, None], columns[None, None]]


def _write(path: Path, frames: np.ndarray, fps: float) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
