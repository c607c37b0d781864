"""The tables a run prints, in Markdown, and the file it keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import Machine
from benchmarks.measure import Row
from benchmarks.peaks import floor_seconds

NONE = "-"


def comparison_table(rows: Sequence[Row]) -> str:
    """Stage, work, both forms and their seconds, ratio, turns, largest difference, peak memory."""
    header = [
        *("stage", "work", "usual form", "s", "ours", "s", "ratio", "runs"),
        *("largest difference", "peak, usual", "peak, ours", "note"),
    ]
    lines = [
        [
            row.stage,
            row.work,
            row.usual,
            seconds_text(row.usual_seconds),
            row.ours,
            seconds_text(row.our_seconds),
            NONE if row.ratio is None else f"{row.ratio:.3g}x",
            f"{row.runs[0]}/{row.runs[1]}",
            NONE if row.difference is None else f"{row.difference:.2g} {row.unit}",
            bytes_text(row.usual_peak),
            bytes_text(row.our_peak),
            row.note,
        ]
        for row in rows
    ]
    return markdown(header, lines)


def floor_table(rows: Sequence[Row], peaks: dict[str, float]) -> str:
    """What each row's work cannot do without, the time that takes at the peaks, and the share."""
    header = ["stage", "ours", "GFLOP", "MB", "precision", "floor, s", "ours, s", "floor / ours"]
    lines = []
    for row in rows:
        floor = floor_seconds(row, peaks)
        if row.cost is None or floor is None or row.our_seconds is None:
            continue
        lines.append(
            [
                f"{row.stage}, {row.work}",
                row.ours,
                f"{row.cost.operations / 1e9:.3g}",
                f"{row.cost.bytes / 1e6:.3g}",
                row.cost.precision,
                seconds_text(floor),
                seconds_text(row.our_seconds),
                f"{100 * floor / row.our_seconds:.2g} %",
            ]
        )
    return markdown(header, lines)


def peaks_line(peaks: dict[str, float]) -> str:
    """The measured peaks in words."""
    return (
        f"peaks of one thread: {peaks['float32'] / 1e9:.0f} GFLOP/s float32, "
        f"{peaks['bfloat16'] / 1e9:.0f} GFLOP/s bfloat16, {peaks['bytes'] / 1e9:.1f} GB/s"
    )


def save_json(
    path: Path, machine: Machine, peaks: dict[str, float], rows: Sequence[Row], seconds: float
) -> None:
    """Keep everything a run measured: seconds, bytes and ratios as plain numbers."""
    content = {
        "machine": asdict(machine),
        "peaks": peaks,
        "seconds": seconds,
        "rows": [asdict(row) | {"floor_seconds": floor_seconds(row, peaks)} for row in rows],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    rules = ["-" * width for width in widths]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in (header, rules, *lines)
    )


def seconds_text(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return NONE
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def bytes_text(value: float | None) -> str:
    """Megabytes, with a digit where they are few."""
    if value is None:
        return NONE
    return f"{value / 1e6:.1f} MB" if value < 1e7 else f"{value / 1e6:.0f} MB"
