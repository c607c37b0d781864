"""A run's picture: ground truth against detections of some videos, and mAP over tIoU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.printing import printable
from pipeline.run_folder.files import atomic_path
from pipeline.runs.found import detections_of
from pipeline.runs.run import Run
from pipeline.stages.evaluate import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Colour = tuple[float, float, float, float]


def plot_run(run: Run, *, videos: int = 4, min_score: float = 0.3) -> Path:
    """Draw `eval/detections.png` and give its path.

    Per video and class the detections are drawn in falling score until they would overlap one drawn
    before; those scoring under `min_score` of the video's best are left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    truth = run.dataset.rows(run.subsets[1])
    detections = detections_of(run)
    names = truth["video"].unique()[:videos]
    colours = _colours(plt.get_cmap("tab10"), sorted(set(truth["label"])))
    figure, axes = plt.subplots(
        len(names) + 1,
        1,
        figsize=(10, 1.35 * len(names) + 3),
        layout="constrained",
        height_ratios=[1] * len(names) + [2],
    )
    for axis, video in zip(axes, names, strict=False):
        _timeline(axis, video, truth, detections, colours, min_score)
    axes[len(names) - 1].set_xlabel("seconds")
    _map_curve(axes[-1], numbers(run), run.config.backbone.title)
    handles = [Patch(color=colour) for colour in colours.values()]
    figure.legend(
        handles, list(map(_words, colours)), loc="outside upper center", ncols=6, frameon=False
    )
    path = run.path("eval") / "detections.png"
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)
    return path


def non_overlapping(table: pd.DataFrame, min_score: float) -> pd.DataFrame:
    """Of one video's detections, the best ones that do not overlap, in falling score."""
    kept: list[int] = []
    table = table.sort_values("score", ascending=False)
    best = table["score"].max() if len(table) else 0.0
    for row in table[table["score"] >= min_score * best].itertuples():
        chosen = table.loc[kept]
        if not ((chosen["start"] < row.end) & (chosen["end"] > row.start)).any():
            kept.append(row.Index)
    return table.loc[kept]


def _timeline(
    axis: Axes,
    video: str,
    truth: pd.DataFrame,
    detections: pd.DataFrame,
    colours: dict[str, Colour],
    min_score: float,
) -> None:
    rows = {
        "truth": truth[truth["video"] == video],
        "found": non_overlapping(detections[detections["video"] == video], min_score),
    }
    for height, table in zip((1, 0), rows.values(), strict=True):
        for row in table.itertuples():
            colour = colours.get(row.label, "grey")
            axis.barh(height, row.end - row.start, left=row.start, height=0.8, color=colour)
    axis.set_yticks([1, 0], list(rows))
    axis.set_xlim(left=0)
    axis.set_title(_words(video), fontsize=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)


def _words(name: str) -> str:
    """A name as matplotlib draws it: what is not printable is escaped, and a dollar begins no formula."""
    return printable(name).replace("$", r"\$")


def _map_curve(axis: Axes, results: dict[str, Any], name: str) -> None:
    for task, figures in results["tasks"].items():
        label = f"{name} {task}, average {figures['average']:.1f} %"
        axis.plot(results["iou"], figures["map"], marker="o", label=label)
    axis.set_xlabel("tIoU threshold")
    axis.set_ylabel("mAP (%)")
    axis.set_ylim(0, 100)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)


def _colours(palette: Colormap, labels: list[str]) -> dict[str, Colour]:
    return {label: palette(i % 10) for i, label in enumerate(labels)}
