"""Seeded tables and maps of the sizes of EPIC-KITCHENS-100, for the stages without a network."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

VIDEOS, SEGMENTS, VERBS, NOUNS = 138, 9668, 97, 300
PAIRS = 5  # verb-noun pairs that a proposal is given


def draw_segments(count: int, seconds: float) -> np.ndarray:
    """Actions [count, 2] in seconds of a window or video of `seconds`."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(0.6, 0.8, count), 0.2, seconds / 2)
    starts = rng.uniform(0, seconds - lengths)
    return np.stack([starts, starts + lengths], axis=1)


def draw_maps(length: int, durations: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What BMN says of a video: start, end [L] and confidence_map [2, D, L], float32.

    One action every 18 positions, as in the videos of EPIC-KITCHENS, each with a bump at its
    boundaries and in the map, on a background of noise.
    """
    rng = np.random.default_rng(0)
    count = max(2, length // 18)
    first = rng.integers(0, length - 2, count)
    span = np.clip(rng.lognormal(1.6, 0.9, count).astype(int), 1, durations)
    last = np.minimum(first + span, length - 1)
    places = np.arange(length)
    boundary = [0.08 * rng.random(length) for _ in range(2)]
    for table, centres in zip(boundary, (first, last), strict=True):
        for centre, height in zip(centres, rng.uniform(0.15, 0.9, count), strict=True):
            near = slice(max(0, centre - 5), centre + 6)
            bump = height * np.exp(-0.5 * ((places[near] - centre) / 1.3) ** 2)
            table[near] = np.maximum(table[near], bump)
    maps = 0.3 * rng.random((2, durations, length))
    maps[:, np.clip(last - first - 1, 0, durations - 1), first] += 0.6
    start, end, confidence_map = (table.astype(np.float32) for table in (*boundary, maps))
    return start, end, confidence_map


def read_or_draw_truth(quick: bool) -> tuple[pd.DataFrame, str]:
    """Ground truth (video, start, end, verb, noun) and what it is.

    The validation annotations of EPIC-KITCHENS-100 where TADA_LOC_DATA has them, otherwise as many
    segments drawn.
    """
    path = Path(os.environ.get("TADA_LOC_DATA", ".")) / "ek100" / "EPIC_100_validation.csv"
    if not quick and "TADA_LOC_DATA" in os.environ and path.exists():
        return _read_truth(path), "its annotations"
    return _draw_truth(6 if quick else VIDEOS, 60 if quick else SEGMENTS), "drawn ground truth"


def draw_submission(truth: pd.DataFrame, detections: int) -> pd.DataFrame:
    """About `detections` detections (video, start, end, score, verb, noun).

    Proposals around the truth, each with five verb-noun pairs, the right one among them a third of
    the time.
    """
    rng = np.random.default_rng(1)
    source = truth.iloc[rng.integers(0, len(truth), detections // PAIRS)]
    start, end = source["start"].to_numpy(), source["end"].to_numpy()
    moved = rng.normal(0, 0.35, (2, len(source))) * (end - start + 0.1)
    start = np.maximum(0, start + moved[0])
    end = np.maximum(start + 0.05, end + moved[1])
    verb = _zipf(rng, VERBS, (len(source), PAIRS))
    noun = _zipf(rng, NOUNS, (len(source), PAIRS))
    right = rng.random(len(source)) < 0.35
    place = rng.integers(0, PAIRS, len(source))[right]
    verb[right, place] = source["verb"].to_numpy()[right]
    noun[right, place] = source["noun"].to_numpy()[right]
    score = rng.random(len(source))[:, None] * np.sort(rng.random(verb.shape))[:, ::-1]
    columns = {"video": source["video"].to_numpy(), "start": start, "end": end}
    table = pd.DataFrame({key: np.repeat(value, PAIRS) for key, value in columns.items()})
    return table.assign(score=score.ravel(), verb=verb.ravel(), noun=noun.ravel())


def with_label(table: pd.DataFrame, task: str) -> pd.DataFrame:
    """A table with the label of a task: verb, noun or action (one number for a pair)."""
    label = table["verb"] * NOUNS + table["noun"] if task == "action" else table[task]
    return table.assign(label=label)


def _zipf(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Class numbers, a few of them common and most rare."""
    weight = 1.0 / np.arange(1, count + 1)
    return rng.choice(count, size=shape, p=weight / weight.sum())


def _draw_truth(videos: int, segments: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    length = rng.lognormal(5.5, 0.8, videos)
    video = rng.choice(videos, size=segments, p=length / length.sum())
    span = rng.lognormal(0.6, 0.9, segments).clip(0.2, length[video] / 2)
    start = rng.uniform(0, length[video] - span)
    return pd.DataFrame(
        {
            "video": [f"P{number:03d}" for number in video],
            "start": start,
            "end": start + span,
            "verb": _zipf(rng, VERBS, (segments,)),
            "noun": _zipf(rng, NOUNS, (segments,)),
        }
    )


def _read_truth(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    times = {}
    for name, column in (("start", "start_timestamp"), ("end", "stop_timestamp")):
        parts = table[column].str.split(":", expand=True).astype(float)
        times[name] = parts[0] * 3600 + parts[1] * 60 + parts[2]
    frame = pd.DataFrame({"video": table["video_id"], **times})
    return frame.assign(verb=table["verb_class"], noun=table["noun_class"])
