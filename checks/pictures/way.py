"""One video's way from frames to detections as one picture, of what `of_run` gives."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from checks.pictures.of_run import Shown
from pipeline.colours import looks_of
from pipeline.tools.plots import non_overlapping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, DPI = 1600, 1360, 100  # pixels
FRAMES = 9  # of the strip
LANES = 8  # in which clips lie, so that they do not cover one another
PROPOSALS = 40  # the best ones that are drawn
LEAST_SCORE = 0.3  # of the best detection's, as in the demo's own picture
COLOURS = 200  # of the palette


@dataclass(frozen=True)
class Scheme:
    """Colours of a light or a dark picture; `maps` are matplotlib's names, dark where there is nothing in the dark one."""

    paper: str
    ink: str
    faint: str
    lines: tuple[str, str]
    ring: str
    maps: tuple[str, str]


SCHEMES: Mapping[str, Scheme] = {
    "light": Scheme(
        "#ffffff", "#1f2328", "#59636e", ("#0072b2", "#d55e00"), "#d55e00", ("Greys", "Blues")
    ),
    "dark": Scheme(
        "#0d1117", "#e6edf3", "#9198a1", ("#56b4e9", "#e69f00"), "#ff6b5e", ("Greys_r", "cividis")
    ),
}
# Height of a row, its title and what is under it.
ROWS: tuple[tuple[float, str, str], ...] = (
    (0.85, "video", "frames"),
    (0.9, "clips", "8 frames each"),
    (1.3, "features", "network"),
    (1.0, "start, end", "BMN"),
    (1.6, "confidence", "BMN"),
    (1.0, "proposals", "soft-NMS"),
    (1.6, "class scores", "classify"),
    (1.0, "detections", "best first"),
)


def draw_way(shown: Shown, scheme: Scheme) -> bytes:
    """The picture as a PNG of `WIDTH` pixels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style: Any = {
        "font.size": 15, "text.color": scheme.ink, "axes.labelcolor": scheme.ink, "axes.edgecolor": scheme.faint,
        "xtick.color": scheme.ink, "ytick.color": scheme.ink, "axes.facecolor": scheme.paper, "figure.facecolor": scheme.paper,
        "hatch.linewidth": 1.0,
    }  # fmt: skip
    draws: tuple[Callable[[Axes, Shown, Scheme], None], ...] = (
        _strip, _clips, _features, _curves, _confidence, _proposals, _classes, _detections,
    )  # fmt: skip
    with plt.rc_context(style):
        figure, axes = plt.subplots(
            len(ROWS),
            1,
            sharex=True,
            figsize=(WIDTH / DPI, HEIGHT / DPI),
            height_ratios=[height for height, _, _ in ROWS],
        )
        figure.subplots_adjust(left=0.135, right=0.84, top=0.99, bottom=0.055, hspace=0.2)
        for number, (axis, draw, (_, title, below)) in enumerate(
            zip(axes, draws, ROWS, strict=True), 1
        ):
            draw(axis, shown, scheme)
            _label(axis, f"{number}  {title}", below, scheme)
        axes[-1].set_xlim(0, shown.seconds)
        axes[-1].tick_params(bottom=True, labelbottom=True)
        axes[-1].set_xlabel("seconds", labelpad=2)
        image = io.BytesIO()
        figure.savefig(image, dpi=DPI, format="png")
        plt.close(figure)
    return _smaller(image)


def _label(axis: Axes, title: str, below: str, scheme: Scheme) -> None:
    place: dict[str, Any] = {"transform": axis.transAxes, "ha": "left"}
    axis.text(-0.187, 0.54, title, va="bottom", fontweight="bold", fontsize=16, **place)
    axis.text(-0.158, 0.46, below, va="top", color=scheme.faint, fontsize=14, **place)
    axis.set_yticks([])
    axis.tick_params(bottom=False, labelbottom=False)
    for side in axis.spines.values():
        side.set_visible(False)


def _beside(axis: Axes, height: float, text: str, colour: str) -> None:
    """A word to the right of a row; `height` in its own units."""
    place: dict[str, Any] = {"transform": axis.get_yaxis_transform(), "ha": "left", "va": "center"}
    axis.text(1.012, height, text, color=colour, fontsize=14, linespacing=1.25, **place)


def _strip(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    width = shown.seconds / len(shown.frames)
    gap = 0.04 * width
    for number, frame in enumerate(shown.frames):
        extent = (number * width + gap, (number + 1) * width - gap, 0, 1)
        axis.imshow(frame, extent=extent, aspect="auto", interpolation="bilinear")
    axis.set_ylim(0, 1)
    _beside(axis, 0.5, f"{len(shown.frames)} of them", scheme.faint)


def _clips(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    """Every clip as a line, from its first frame to its last, and its centre."""
    grid, count = shown.grid, len(shown.features)
    centres = grid.centers(count)
    length = (grid.frames - 1) * grid.interval / grid.fps
    lane = np.arange(count) % LANES
    axis.hlines(-lane, centres - length / 2, centres + length / 2, color=scheme.lines[0], lw=2.2)
    axis.plot(centres, -lane, "o", color=scheme.ink, ms=3)
    axis.set_ylim(-LANES + 0.3, 0.7)
    _beside(
        axis, -LANES / 2 + 0.5, f"{count}, one every\n{grid.seconds_per_clip:.2f} s", scheme.faint
    )


def _features(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    """Each channel by its own mean and spread, those that differ most over time; channels that go together are neighbours."""
    spread = shown.features.std(axis=0)
    kept = np.argsort(-spread, kind="stable")[:64]
    values = (shown.features - shown.features.mean(axis=0))[:, kept] / (spread[kept] + 1e-6)
    peaks = np.argsort(values.argmax(axis=0), kind="stable")
    edge = shown.grid.centers(len(values))
    half = shown.grid.seconds_per_clip / 2
    extent = (edge[0] - half, edge[-1] + half, 0, 1)
    picture: dict[str, Any] = {"aspect": "auto", "cmap": scheme.maps[0], "vmin": -1.5, "vmax": 2.5}
    axis.imshow(values[:, peaks].T, extent=extent, interpolation="nearest", **picture)
    axis.set_ylim(0, 1)
    _beside(axis, 0.5, f"{len(kept)} of {len(spread)}\nchannels", scheme.faint)


def _curves(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    of_both = (("start", shown.start, 0.68), ("end", shown.end, 0.36))
    for colour, (name, values, height) in zip(scheme.lines, of_both, strict=True):
        axis.plot(shown.times, values, color=colour, lw=2)
        axis.fill_between(shown.times, values, color=colour, alpha=0.18, lw=0)
        _beside(axis, height, name, colour)
    axis.set_ylim(0, 1.05)


def _confidence(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    """By start (across) and duration (up); a ring at each segment of the ground truth."""
    durations, count = shown.confidence.shape
    begin = shown.times[0] - shown.step / 2
    top = durations * shown.step
    extent = (begin, begin + count * shown.step, shown.step / 2, top + shown.step / 2)
    axis.imshow(
        shown.confidence,
        extent=extent,
        origin="lower",
        aspect="auto",
        cmap=scheme.maps[1],
        interpolation="nearest",
    )
    lengths = shown.truth["end"] - shown.truth["start"]
    ring: dict[str, Any] = {"mfc": "none", "mec": scheme.ring, "ms": 16, "mew": 2.2}
    axis.plot(shown.truth["start"], lengths, "o", **ring)
    axis.set_ylim(0, top + shown.step)
    _beside(axis, 0.78 * top, f"across: start,\nup: duration\nto {top:.1f} s", scheme.faint)
    _beside(axis, 0.24 * top, "ring: ground\ntruth", scheme.ring)


def _proposals(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    """The best proposals as bars: the higher and the darker, the better."""
    best = shown.proposals.nlargest(PROPOSALS, "score")
    for row in best.iloc[::-1].itertuples():
        height = float(row.score) / float(best["score"].max())
        axis.hlines(height, row.start, row.end, color=scheme.lines[0], lw=3, alpha=0.25 + 0.75 * height)  # fmt: skip
    axis.set_ylim(0, 1.1)
    _beside(axis, 0.55, f"best {len(best)} of {len(shown.proposals)},\nup: score", scheme.faint)


def _classes(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    """The scores of the best proposals that do not overlap, a line a class."""
    numbered = shown.proposals.reset_index(drop=True)
    kept = non_overlapping(numbered, LEAST_SCORE).index
    looks = looks_of(shown.classes, shown.classes)
    for place, name in enumerate(shown.classes):
        axis.axhline(-place, color=scheme.faint, lw=0.6, alpha=0.5, zorder=0)
        for row in kept:
            start, end = numbered.loc[row, ["start", "end"]]
            score = float(shown.scores[row if len(shown.scores) > 1 else 0, place])
            axis.barh(-place, end - start, left=start, height=0.86, color=looks[name].fill, alpha=score, lw=0)  # fmt: skip
        _beside(axis, -place, _words(name), scheme.ink)
    axis.set_ylim(-len(shown.classes) + 0.4, 0.6)


def _detections(axis: Axes, shown: Shown, scheme: Scheme) -> None:
    looks = looks_of(shown.classes, shown.classes)
    tables: dict[str, pd.DataFrame] = {
        "ground truth": shown.truth,
        "found": non_overlapping(shown.found, LEAST_SCORE),
    }
    for height, (name, table) in zip((1, 0), tables.items(), strict=True):
        for row in table.itertuples():
            colour = looks[str(row.label)].fill
            axis.barh(height, row.end - row.start, left=row.start, height=0.84, color=colour, lw=0)
        _beside(axis, height, name, scheme.ink)
    axis.set_ylim(-0.5, 1.5)


def _words(name: str) -> str:
    """A class's name, short enough to stand beside a row."""
    return name if len(name) <= 23 else f"{name[:21]}..."


def _smaller(image: io.BytesIO) -> bytes:
    """The same with few colours."""
    picture = Image.open(image).convert("RGB")
    small = io.BytesIO()
    picture.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)  # fmt: skip
    return small.getvalue()
