"""The figures as printed: ours, and below them the paper's and other published ones on the same data set."""

from __future__ import annotations

from typing import Any

from pipeline.configuration.sections.detection import EvalSettings
from pipeline.printing import printable
from pipeline.results.scoring.best_f1 import f1_line
from pipeline.results.scoring.tasks import as_thresholds

Row = tuple[str, list[float | None]]


def map_table(
    results: dict[str, Any], settings: EvalSettings | None, *, published: bool = True
) -> str:
    """The mAP table a user sees: a row per task, a column per threshold, the average last.

    The paper's row, of the network `eval.paper` was written for, stands under ours with the figures of
    the same thresholds, its average only where ours is over the same ones; so do the rows of
    `eval.published`. Without `published`, or without settings, neither does: the data set is another. Below: AR@AN,
    and the score from which on detections have the best F1.
    """
    rows = map_rows(results, settings, published=published)
    lines = _lines(rows, results["iou"]) if rows else []
    recall = results.get("average_recall", {})
    if recall:
        lines.append(
            "proposals: "
            + "  ".join(f"AR@{printable(n)} {value:.2f}" for n, value in recall.items())
        )
        lines.append(
            "AR@AN: recall by the AN best proposals of each video, by all of one that has fewer; "
            "mean over the tIoU thresholds"
        )
    if (line := f1_line(results.get("best_f1", {}))) is not None:
        lines.append(line)
    return "\n".join(lines)


def map_rows(
    results: dict[str, Any], settings: EvalSettings | None, *, published: bool = True
) -> list[Row]:
    """The rows of that table: a name, and a figure a threshold and the average, None if it is not known."""
    rows: list[Row] = []
    for name, task in results["tasks"].items():
        rows.append((name, [*task["map"], task["average"]]))
        if published and settings is not None:
            rows += _others(f"{name}, the paper", settings.paper.get(name, {}), results, settings)
    if published and settings is not None and results["tasks"]:
        for name, figures in settings.published.items():
            rows += _others(name, figures, results, settings)
    return rows


def _others(
    name: str, figures: dict[str, float], results: dict[str, Any], settings: EvalSettings
) -> list[Row]:
    """A row of figures by tIoU and `average`, those of our columns; none where it has none of them."""
    same = settings.paper_iou in (None, ()) or as_thresholds(settings.paper_iou) == results["iou"]
    columns = [f"{iou:g}" for iou in results["iou"]]
    known = [figures.get(column) for column in [*columns, *(["average"] if same else [])]]
    if all(value is None for value in known):
        return []
    return [(name, known if same else [*known, None])]


def _lines(rows: list[Row], iou: list[float]) -> list[str]:
    width = max(len("tIoU"), *(len(name) for name, _ in rows))
    titles = [*(f"@{tiou:g}" for tiou in iou), "average"]
    lines = ["tIoU".ljust(width) + "".join(title.rjust(9) for title in titles)]
    for name, values in ((printable(name), values) for name, values in rows):
        cells = [("-" if value is None else f"{value:.2f}").rjust(9) for value in values]
        lines.append(name.ljust(width) + "".join(cells))
    return lines
