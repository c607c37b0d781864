"""The analyses as a user sees them: two tables and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.error_kinds import DETAD_NAMES
from pipeline.printing import printable
from pipeline.results.scoring.best_f1 import TIOU, f1_line

_WORST = 5  # classes that are named
_LEAST = 0.05  # points; fewer are shown as 0.0


def why_table(made: Mapping[str, Any]) -> str:
    """What `why` or `why_of_file` found. Lengths are seconds, all else but counts is points of mAP (percent)."""
    at = made["errors"]["at"]
    lines: list[str] = []
    for number, (name, task) in enumerate(made["errors"]["tasks"].items()):
        title = "mAP" if name == "mAP" else f"{name} mAP"
        lines += [
            "",
            f"WHERE THE POINTS GO at tIoU {at:g}, {title} {task['map']:.2f}: points won if only this kind were fixed",
            *_errors(task, groups=not number),
        ]
        if not number:
            lines += _worst(task["by_class"])
    lines += _stages(made["stages"])
    if not made["stages"]:
        lines += ["", "which stage costs the points is known only for a run (--run-dir)"]
    line = f1_line(made["best_f1"]) if at != TIOU else None  # which stands under the mAP
    if line is not None:
        lines.append(line)
    return "\n".join([*lines, made["advice"]]).lstrip("\n")


def _errors(task: Mapping[str, Any], *, groups: bool) -> list[str]:
    lengths, instances = (task["by_length"], task["by_instances"]) if groups else ([], [])
    columns = [*lengths, *instances]
    heads = ["count", "points", *map(_limit, lengths), *map(_short, instances)]
    rows: list[tuple[str, Sequence[str]]] = []
    for kind, count in task["counts"].items():
        points = [task["gains"][kind], *(group["gains"][kind] for group in columns)]
        label = f"{kind} ({DETAD_NAMES[kind]})" if kind != "missed" else kind
        rows.append((label, [str(count), *(f"{value:.2f}" for value in points)]))
    for name, key in (
        ("all false positives", "false_positives"),
        ("all missed", "false_negatives"),
    ):
        rows.append((name, ["", f"{task[key]:.2f}"]))
    if groups:
        segments = ["", "", *(str(group["segments"]) for group in columns)]
        found = ["", "", *(_share(group) for group in columns)]
        rows += [("segments", segments), ("of them found, %", found)]
    lines = _table(heads, rows)
    if groups:
        width = len(lines[0]) - 8 * len(columns)
        over = " " * width + "by length of segment, s".center(8 * len(lengths))
        lines.insert(0, over + "by segments in the video".center(8 * len(instances)))
    return lines


def _short(group: Mapping[str, Any]) -> str:
    name: str = group["name"]
    return name.replace(" to ", "-").replace(" or more", "+")


def _limit(group: Mapping[str, Any]) -> str:
    return f"<={group['up_to']:.3g}" if "up_to" in group else "longer"


def _share(group: Mapping[str, Any]) -> str:
    return f"{100 * group['found'] / group['segments']:.1f}" if group["segments"] else "-"


def _worst(classes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The classes that one kind of error costs most."""
    losses = []
    for group in classes:
        kind = max(group["gains"], key=lambda name: group["gains"][name])
        if group["gains"][kind] >= _LEAST:
            losses.append((group["gains"][kind], group["name"], kind))
    losses.sort(key=lambda loss: (-loss[0], loss[1]))
    shown = [f"{printable(name)} {points:.1f} ({kind})" for points, name, kind in losses[:_WORST]]
    return ["classes that lose the most AP to one kind: " + ", ".join(shown)] if shown else []


def _stages(stages: Sequence[Mapping[str, Any]]) -> list[str]:
    if not stages:
        return []
    names = next((list(row["tasks"]) for row in stages if row["tasks"]), [])
    heads = [text for name in names for text in (name, "points")]
    rows, notes = [], []
    for row in stages:
        cells = [
            text
            for name in names
            for text in (
                (f"{row['tasks'][name]['average']:.2f}", f"{row['tasks'][name]['gain']:+.2f}")
                if row["tasks"]
                else ("-", "")
            )
        ]
        rows.append((row["what"], cells))
        if row["note"]:
            notes.append(f"{row['what']}: {row['note']}")
    return ["", "WHICH STAGE COSTS THE POINTS: average mAP with", *_table(heads, rows), *notes]


def _table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    lines = [" " * width + "".join(head.rjust(8) for head in heads)]
    lines += [name.ljust(width) + "".join(cell.rjust(8) for cell in cells) for name, cells in rows]
    return [line.rstrip() if place else line for place, line in enumerate(lines)]
