"""The page of a comparison: results side by side, how sure their differences are, and their training curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.pages.rendering import render
from pipeline.printing import printable
from pipeline.run_folder.files import write_text

_MOST_NUMBERS = 4  # averages in the first line


def write_comparison(values: Mapping[str, Any], path: Path) -> None:
    """Write the page of what `pipeline.tools.compare.comparison` found, whole.

    Raises UserError if it cannot be written.
    """
    write_text(path, comparison_page(values))


def comparison_page(values: Mapping[str, Any]) -> str:
    """The page as text."""
    names = [run["name"] for run in values["runs"]]
    leading = next(iter(values["tasks"].values()))
    numbers = [
        (f"number-{place}", printable(name), f"{run['average']:.1f}")
        for place, (name, run) in enumerate(zip(names, leading["runs"], strict=True))
    ]
    return render(
        "comparison.html.j2",
        scripts=("common.js", "charts.js", "comparison.js"),
        data=_plain(values) | {"classes": [], "rows": _plain(values["classes"])},
        title=" · ".join(map(printable, names)),
        numbers=numbers[:_MOST_NUMBERS],
        values=values,
        names=names,
        said=[
            _said(names[0], name, one, values["level"])
            for name, one in zip(names[1:], leading["differences"], strict=True)
        ],
        has_history=any(epochs for run in values["runs"] for epochs in run["history"].values()),
        settings=[
            (row["key"], [_setting(value) for value in row["values"]]) for row in values["settings"]
        ],
        paths=[(name, printable(str(run["path"]))) for name, run in zip(names, values["runs"], strict=True)],
    )  # fmt: skip


def _said(first: str, name: str, one: Mapping[str, Any], level: float) -> str:
    """What the difference of two averages says, in a sentence."""
    by = one["average"]
    low, high = by["low"], by["high"]
    points = f"{by['difference']:+.1f} points of mAP"
    if low is None or high is None:
        return f"{name}: {points} against {first}."
    interval = f"{100 * level:g} % interval {low:+.1f} to {high:+.1f}"
    if low > 0 or high < 0:
        which = "better" if low > 0 else "worse"
        return f"{name} is {which} than {first}: {points} ({interval})."
    return f"{name} and {first} cannot be distinguished on these videos: {points} ({interval})."


def _setting(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _plain(value: Any) -> Any:
    """Values a page may hold: numbers to two digits after the point, four significant ones if they are small."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return float(f"{value:.4g}") if abs(value) < 10 else round(value, 2)
    return value
