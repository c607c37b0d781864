"""What finer boundaries are worth where the network is perfect: the labels themselves are decoded.

python -m benchmarks.boundaries [--videos N] [--noise SIGMA]
"""

from __future__ import annotations

from dataclasses import dataclass

import click
import numpy as np
import pandas as pd

from bmn import decode_proposals, move_proposals, soft_nms, vote, voting_weights
from bmn.moves import window_moves
from bmn.targets import window_targets
from evaluation import detection_map

POSITIONS, DURATIONS, ACTIONS = 100, 40, 5
TIOUS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())
SOFT_NMS = {"alpha": 0.4, "low": 0.0, "high": 0.0, "count": 100}
VOTING = 0.7
BEST = 10  # proposals per video that recall is of


@dataclass(frozen=True)
class Decoding:
    """One row of the table: how boundaries are labelled and decoded."""

    center: float
    voting: float | None = None
    regression: bool = False


DECODINGS = (Decoding(0), Decoding(0, VOTING), Decoding(0.5), Decoding(0.5, VOTING))
MOVED = (Decoding(0, None, True), Decoding(0.5, None, True), Decoding(0.5, VOTING, True))


def draw_actions(rng: np.random.Generator) -> np.ndarray:
    """A video's actions [ACTIONS, 2] in positions: of 2 to 15, anywhere, apart from one another."""
    lengths = rng.uniform(2.0, 15.0, ACTIONS)
    gaps = rng.dirichlet(np.ones(ACTIONS + 1)) * (POSITIONS - lengths.sum())
    starts = np.cumsum(gaps[:-1]) + np.cumsum(lengths) - lengths
    return np.stack([starts, starts + lengths], axis=1)


def propose(
    actions: np.ndarray,
    decoding: Decoding,
    boundary_power: float,
    noise: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Segments [n, 2] in positions and scores [n] from the labels of a video, best first.

    noise: standard deviation of what is added to the logits of the labels; 0 is a perfect signal.
    Moves are always perfect.
    """
    window = (0.0, float(POSITIONS))
    labels = window_targets(actions, window, POSITIONS, DURATIONS, decoding.center)
    start, end, iou = (_disturbed(table.numpy(), noise, rng) for table in labels)
    decoded = decode_proposals(
        start,
        end,
        np.stack([iou, iou]),
        boundary_power=boundary_power,
        seconds_per_position=1.0,
        boundary_center=decoding.center,
    )
    if decoding.regression:
        moves = window_moves(actions, window, POSITIONS, DURATIONS)
        decoded = move_proposals(decoded, moves, seconds_per_position=1.0)
    segments, scores = decoded[:, :2], decoded[:, -1]
    index, kept = soft_nms(segments, scores, duration=float(POSITIONS), **SOFT_NMS)
    picked = segments[index]
    if decoding.voting is not None:
        picked = vote(segments, voting_weights(decoded), index, decoding.voting)
    return picked, kept


def boundary_figures(
    decoding: Decoding, boundary_power: float, noise: float, videos: int
) -> dict[str, float]:
    """Mean signed error of starts and ends, recall of the best proposals, and mAP, over videos.

    The error is that of the first proposal with tIoU 0.5 of each action; seeded, the same actions
    for every decoding.
    """
    found, truth, errors, best = [], [], [], []
    for video in range(videos):
        rng = np.random.default_rng(video)
        actions = draw_actions(rng)
        segments, scores = propose(actions, decoding, boundary_power, noise, rng)
        tious = overlaps(segments, actions)
        best.append(tious[:BEST].max(0))
        first = (tious >= 0.5).argmax(0)
        errors.append((segments[first] - actions)[(tious >= 0.5).any(0)])
        found.append(_table(video, segments).assign(score=scores))
        truth.append(_table(video, actions))
    recall = np.concatenate(best)
    error = np.concatenate(errors).mean(0)
    result = detection_map(pd.concat(truth), pd.concat(found), TIOUS)
    return {
        "start": float(error[0]),
        "end": float(error[1]),
        **{f"@{tiou}": 100 * float((recall >= tiou).mean()) for tiou in (0.5, 0.7, 0.9, 0.95)},
        "mAP": 100 * result.average,
        "mAP@0.95": 100 * float(result.map[-1]),
    }


def overlaps(segments: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """tIoU [n, m] of segments [n, 2] with actions [m, 2]."""
    last = np.minimum(segments[:, None, 1], actions[:, 1])
    shared = (last - np.maximum(segments[:, None, 0], actions[:, 0])).clip(0)
    return shared / (np.diff(segments) + np.diff(actions)[:, 0] - shared)


def boundary_table(boundary_power: float, noise: float, videos: int) -> str:
    """The decodings' figures as lines of text; those with moves where the signal is perfect."""
    lines = [f"boundary_power {boundary_power:g}, noise {noise:g}, {videos * ACTIONS} actions"]
    lines.append(
        f"{'center':>6} {'voting':>6} {'regr.':>5} {'start':>7} {'end':>7}"
        f" {'R@.5':>6} {'R@.7':>6} {'R@.9':>6} {'R@.95':>6} {'mAP':>6} {'@.95':>6}"
    )
    # Noise on labels does not show how exact learned moves are.
    for decoding in DECODINGS if noise else DECODINGS + MOVED:
        start, end, *rest = boundary_figures(decoding, boundary_power, noise, videos).values()
        voting, moved = decoding.voting or "off", "on" if decoding.regression else "off"
        shown = " ".join(f"{value:6.2f}" for value in rest)
        lines.append(
            f"{decoding.center:6g} {voting:>6} {moved:>5} {start:+7.3f} {end:+7.3f} {shown}"
        )
    return "\n".join(lines)


def _disturbed(values: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    if not noise:
        return values
    kept = np.clip(values.astype(np.float64), 1e-3, 1 - 1e-3)
    return 1 / (1 + (1 / kept - 1) * np.exp(rng.normal(0.0, noise, values.shape)))


def _table(video: int, segments: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"video": f"v{video}", "start": segments[:, 0], "end": segments[:, 1], "label": "action"}
    )


@click.command()
@click.option("--videos", default=200, show_default=True, help=f"Of {ACTIONS} actions each.")
@click.option("--noise", default=1.0, show_default=True, help="On the logits, second part.")
def main(videos: int, noise: float) -> None:
    """Print the tables of a perfect and of a noisy signal."""
    parts = [(power, level) for level in (0.0, noise) for power in (1.0, 0.0)]
    click.echo("\n\n".join(boundary_table(power, level, videos) for power, level in parts))


if __name__ == "__main__":
    main()
