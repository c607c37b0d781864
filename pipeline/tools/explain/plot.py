"""The plot: over time what speaks for each class, and TAdaConv's calibration weights by stage."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.printing import printable
from pipeline.run_folder.files import atomic_path
from pipeline.tools.explain.looking import Explained
from pipeline.tools.explain.sheet import headline, row_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 12  # moments in the plot
_LONGEST = 60
# Okabe and Ito's, which colour-blind people can distinguish; dashes beside them
_HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
_DASHES = ("-", "--", "-.", ":")


def write_plot(path: Path, network: str, explained: Sequence[Explained]) -> None:
    """Write the PNG: a row per moment. Raises UserError if it cannot be written."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = explained[:MOST]
    columns = 2 if any(one.stages for one in shown) else 1
    figure, axes = plt.subplots(
        len(shown),
        columns,
        figsize=(5.2 * columns, 2.5 * len(shown) + 0.3),
        layout="constrained",
        squeeze=False,
        sharey="col",
    )
    for number, (row, one) in enumerate(zip(axes, shown, strict=True), start=1):
        _draw_evidence(row[0], one, headline(number, one))
        if columns == 2:
            _draw_calibration(row[1], one, network)
    for axis in axes[-1]:
        axis.set_xlabel("seconds", fontsize=9)
    with warnings.catch_warnings(), atomic_path(path) as temporary:
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box is drawn in its place
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)


def _draw_evidence(axis: Axes, one: Explained, title: str) -> None:
    axis.axhline(0, color="#bbbbbb", lw=0.8)
    for place, (target, values) in enumerate(zip(one.moment.targets, one.evidence, strict=True)):
        colour, style = _HUES[place % len(_HUES)], _DASHES[place % len(_DASHES)]
        times, shown = _by_clip(one, one.times, values)
        axis.plot(times, shown, color=colour, ls=style, lw=1.4, label=_words(row_title(target)))
    if one.moment.end > one.moment.start:
        axis.axvspan(one.moment.start, one.moment.end, color="#000000", alpha=0.05, lw=0)
    axis.set_ylabel("evidence (logit)", fontsize=9)
    _finish(axis, title)


def _draw_calibration(axis: Axes, one: Explained, network: str) -> None:
    axis.axhline(1, color="#bbbbbb", lw=0.8)
    for place, (name, stage) in enumerate(one.stages.items()):
        colour = _HUES[place % len(_HUES)]
        style = _DASHES[(place // 4 + place) % len(_DASHES)]
        times, mean = _by_clip(one, stage.times, stage.mean)
        _, std = _by_clip(one, stage.times, stage.std)
        axis.plot(times, mean, color=colour, ls=style, lw=1.4, label=_words(name))
        axis.fill_between(times, mean - std, mean + std, color=colour, alpha=0.12, lw=0)
    axis.set_ylabel("calibration weight", fontsize=9)
    _finish(axis, f"{network}: mean and spread over channels")


def _by_clip(
    one: Explained, times: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Times and values with a gap where the next clip begins: no clip sees what the one before it saw."""
    nearest = np.abs(times[:, None] - one.centres).argmin(1)
    ends = np.flatnonzero(np.diff(nearest)) + 1
    return np.insert(times.astype(float), ends, np.nan), np.insert(
        values.astype(float), ends, np.nan
    )


def _finish(axis: Axes, title: str) -> None:
    axis.set_title(_words(title), fontsize=9, loc="left")
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.01)
    axis.legend(frameon=False, fontsize=8, ncols=2)


def _words(text: str) -> str:
    """A text as matplotlib draws it: short, printable, and a dollar begins no formula."""
    shown = printable(text)
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return shown.replace("$", r"\$")
