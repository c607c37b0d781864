"""The embedded demo dataset: untrimmed videos, drawn from a seed, of motions no single frame shows.

Six classes in three pairs, each pair one motion forwards and backwards: the same frames in reverse
order. A frame says nothing about which of the two it is from, and little about the pair: an object
seen in the middle of its range is a little likelier to be moving than at rest there.
"""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.demo.drawing import Look, draw_frames, random_look
from pipeline.plain_files import read_json
from pipeline.run_folder.files import atomic_path, clear_temporary, write_json

# label -> (which number of the pose moves, which way)
ACTIONS = {
    "slide left": (0, -1),
    "slide right": (0, 1),
    "grow": (2, 1),
    "shrink": (2, -1),
    "turn clockwise": (3, 1),
    "turn counter-clockwise": (3, -1),
}
MOVING = (0, 2, 3)
LEAST_MOVE = 0.3  # of the range
VERSION = 4  # of the drawing: raise it when the same seed no longer gives the same videos
CHUNK = 60  # frames drawn at once


@dataclass(frozen=True)
class Action:
    """One action of a video: seconds, and the label (a key of ACTIONS)."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Scene:
    """All that a video shows, frame by frame, before it is drawn."""

    look: Look
    actions: tuple[Action, ...]
    poses: np.ndarray  # [frames, 4], see drawing.py
    spots: np.ndarray  # [frames, spots, 2] pixels
    shake: np.ndarray  # [frames, 2] pixels


def make_dataset(
    folder: Path,
    *,
    seed: int = 0,
    train_videos: int = 160,
    val_videos: int = 32,
    fps: float = 15.0,
    seconds: float = 40.0,
    size: tuple[int, int] = (64, 48),
    workers: int = 2,
) -> None:
    """Write folder/videos/NAME.mp4 (H.264) and folder/annotations.csv, unless they are there.

    The annotations have the columns video, start, end, label, subset: times in seconds, subset
    training or validation. The same arguments give the same frames; a folder made with others, or not
    to its end, is written again. `size`: width and height, pixels.
    """
    width, height = size
    made_with = {
        "version": VERSION, "seed": seed, "train_videos": train_videos, "val_videos": val_videos,
        "fps": fps, "seconds": seconds, "width": width, "height": height,
    }  # fmt: skip
    if _read(marker := folder / "dataset.json") == made_with:
        return
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    marker.unlink(missing_ok=True)
    clear_temporary(folder)
    subsets = {"training": train_videos, "validation": val_videos}
    names = [f"{subset}_{i:03d}" for subset, count in subsets.items() for i in range(count)]

    def make(index: int) -> tuple[Action, ...]:
        rng = np.random.default_rng([seed, index])
        scene = random_scene(rng, seconds=seconds, fps=fps, width=width, height=height)
        write_video(folder / "videos" / f"{names[index]}.mp4", scene, fps, rng)
        return scene.actions

    with ThreadPoolExecutor(workers) as pool:  # numpy and the encoder release the GIL
        actions = list(pool.map(make, range(len(names))))
    _write_annotations(folder / "annotations.csv", names, actions)
    write_json(marker, made_with)


def _read(marker: Path) -> object:
    try:
        return read_json(marker)
    except (OSError, ValueError):
        return None


def random_scene(
    rng: np.random.Generator, *, seconds: float, fps: float, width: int, height: int
) -> Scene:
    """Draw one video's look, actions and motion."""
    look = random_look(rng, width, height)
    times = np.arange(round(seconds * fps)) / fps
    pose = np.array([_resting_place(rng) for _ in range(4)])
    poses = np.tile(pose, (len(times), 1))
    labels = {motion: label for label, motion in ACTIONS.items()}
    actions: list[Action] = []
    for start, end in _spans(rng, seconds):
        part = int(rng.choice(MOVING))
        move = _next_place(rng, pose[part]) - pose[part]
        done = np.clip((times - start) / (end - start), 0, 1)
        poses[:, part] += move * (1 - np.cos(np.pi * done)) / 2
        pose[part] += move
        label = labels[part, int(np.sign(move))]
        actions.append(Action(round(start, 3), round(end, 3), label))
    poses += _wobble(rng, times)
    return Scene(look, tuple(actions), poses, _orbits(rng, times, look), _shake(rng, len(times)))


def write_video(path: Path, scene: Scene, fps: float, rng: np.random.Generator) -> None:
    """Draw and encode a scene to path, which appears only when it is complete."""
    with atomic_path(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = scene.look.width, scene.look.height
        stream.pix_fmt = "yuv420p"
        # High quality: coarser coding blurs what moves, and would give motion away in one frame.
        # This preset has no lookahead, which makes x264's output differ from run to run.
        stream.options = {"crf": "16", "preset": "ultrafast", "g": "30", "threads": "1"}
        for first in range(0, len(scene.poses), CHUNK):
            part = slice(first, first + CHUNK)
            drawn = draw_frames(
                scene.look, scene.poses[part], scene.spots[part], scene.shake[part], rng
            )
            for image in drawn:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _resting_place(rng: np.random.Generator) -> float:
    """Draw where a number of the pose rests, from 0 to 1.

    Its density grows with the space there is to move. Actions that go anywhere in that space keep it,
    and going from one place to another is then as likely as going back: a video played backwards is
    as likely as the video.
    """
    while True:
        place = rng.uniform()
        if rng.uniform() * (1 - LEAST_MOVE) < sum(_room(place)):
            return place


def _next_place(rng: np.random.Generator, place: float) -> float:
    """Draw where an action goes from a place: anywhere at least LEAST_MOVE away."""
    below, above = _room(place)
    step = rng.uniform(-below, above)
    return float(place + step + np.sign(step) * LEAST_MOVE)


def _room(place: float) -> tuple[float, float]:
    """How much space there is below and above a place, LEAST_MOVE left out."""
    return max(0.0, place - LEAST_MOVE), max(0.0, 1 - LEAST_MOVE - place)


def _spans(rng: np.random.Generator, seconds: float) -> list[tuple[float, float]]:
    """Draw actions of 2 to 4 s with 1.5 to 3.5 s of idle time before, between and after them."""
    spans: list[tuple[float, float]] = []
    start = rng.uniform(1.5, 3.5)
    while (end := start + rng.uniform(2.0, 4.0)) < seconds - 1.5:
        spans.append((start, end))
        start = end + rng.uniform(1.5, 3.5)
    return spans


def _wobble(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Draw bursts of to and fro without net motion [frames, 4], in idle time and actions alike."""
    moved = np.zeros((len(times), 4))
    start = rng.uniform(0, 4.0)
    while start < times[-1]:
        length, rate = rng.uniform(1.0, 3.0), rng.uniform(1.5, 3.0)
        inside = np.clip((times - start) / length, 0, 1)
        swing = np.sin(np.pi * inside) * np.sin(2 * np.pi * rate * length * inside)
        moved[:, rng.integers(4)] += rng.uniform(0.007, 0.03) * swing
        start += length + rng.uniform(0, 4.0)
    return moved


def _orbits(rng: np.random.Generator, times: np.ndarray, look: Look) -> np.ndarray:
    """Move each distractor round a circle of its own, all the time, [frames, spots, 2] pixels."""
    spots = len(look.spot_radius)
    centre = rng.uniform(0, 1, (spots, 2)) * (look.width, look.height)
    radius = rng.uniform(3, 12, spots)
    rate = rng.uniform(0.2, 0.8, spots) * rng.choice([-1, 1], spots)
    turn = 2 * np.pi * (rng.uniform(0, 1, spots) + rate * times[:, None])
    circle: np.ndarray = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    spots_at: np.ndarray = centre + radius[:, None] * circle
    return spots_at


def _shake(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draw a smooth random offset of the camera, about a pixel, [frames, 2]."""
    steps = rng.standard_normal((frames + 8, 2))
    kernel = np.hanning(11)[1:-1] / np.linalg.norm(np.hanning(11)[1:-1])
    amount = rng.uniform(0.2, 1.0)
    return amount * np.stack([np.convolve(s, kernel, mode="valid") for s in steps.T], axis=1)


def _write_annotations(path: Path, names: list[str], actions: list[tuple[Action, ...]]) -> None:
    lines = [["video", "start", "end", "label", "subset"]]
    for name, found in zip(names, actions, strict=True):
        subset = name.split("_")[0]
        lines += [[name, f"{a.start:.3f}", f"{a.end:.3f}", a.label, subset] for a in found]
    with atomic_path(path) as partial, partial.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
