"""A comparison as printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.printing import printable

_CLASSES = 10  # classes that are shown, those that differ most
_VIDEOS = 5
_LONGEST = 40  # characters of a setting's value, of a name


def comparison_table(values: Mapping[str, Any]) -> str:
    """What `comparison` found. A difference stands with its interval; * where that leaves out 0."""
    names = [_short(run["name"]) for run in values["runs"]]
    lines = [
        f"{_number(values['videos'], 'video')}, {_number(values['segments'], 'segment')}; differences from {names[0]}, with "
        f"{100 * values['level']:g} % intervals of {values['resamples']} resamples of the videos (* leaves out 0)",
        *values["notes"],
    ]
    for task, found in values["tasks"].items():
        lines += ["", *_maps(task, found, values["iou"], names)]
    if values["recall"] is not None:
        recall = values["recall"]
        rows = [
            (f"AR@{count}", [run[place] for run in recall["runs"]], _at(recall, place))
            for place, count in enumerate(recall["counts"])
        ]
        lines += ["", *_table("proposals", names, rows)]
    kinds = values["errors"]["kinds"]
    rows = [(kind["kind"], kind["runs"], kind["differences"]) for kind in kinds]
    lines += ["", *_table(f"points lost, tIoU {values['errors']['at']:g}", names, rows)]
    lines += ["", *_classes(values["classes"], names)]
    for name, changed in zip(names[1:], values["changed"], strict=True):
        lines += _videos(name, names[0], changed)
    lines += _settings(values["settings"], names)
    return "\n".join(lines)


Row = tuple[str, Sequence[float], Sequence[Mapping[str, Any]]]


def _maps(
    task: str, found: Mapping[str, Any], iou: Sequence[float], names: Sequence[str]
) -> list[str]:
    rows: list[Row] = []
    for place, tiou in enumerate(iou):
        by = [one["map"][place] for one in found["differences"]]
        rows.append((f"@{tiou:g}", [run["map"][place] for run in found["runs"]], by))
    by = [one["average"] for one in found["differences"]]
    rows.append(("average", [run["average"] for run in found["runs"]], by))
    lines = _table(task, names, rows)
    for name, one in zip(names[1:], found["differences"], strict=True):
        lines.append(f"{name} is better in {100 * one['better']:.1f} % of the resamples")
    return lines


def _at(recall: Mapping[str, Any], place: int) -> list[Mapping[str, Any]]:
    return [rows[place] for rows in recall["differences"]]


def _classes(classes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    def size(row: Mapping[str, Any]) -> float:
        return max(abs(float(one["difference"])) for one in row["differences"])

    shown = sorted(classes, key=lambda row: (-size(row), row["name"]))[:_CLASSES]
    rows = [(_short(row["name"]), row["runs"], row["differences"]) for row in shown]
    title = "AP by class" if len(shown) == len(classes) else "AP by class, largest differences"
    return _table(title, names, rows)


def _videos(name: str, first: str, changed: Sequence[Mapping[str, Any]]) -> list[str]:
    if not changed:
        return []
    lines = ["", f"videos that changed most, F1 at each one's best score: {first} -> {name}"]
    for video in changed[:_VIDEOS]:
        before, after = video["first"]["f1"], video["second"]["f1"]
        lines.append(f"  {_short(video['video'])}  {before:.1f} -> {after:.1f}")
    return lines


def _settings(settings: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    if not settings:
        return []
    return [
        "",
        f"settings that differ: {', '.join(names)}",
        *(
            f"  {row['key']}: {', '.join(_short(str(value)) for value in row['values'])}"
            for row in settings
        ),
    ]


def _table(title: str, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """A row a figure: the value of each result, and for those after the first how they differ."""
    body = []
    for name, values, differences in rows:
        cells = [f"{values[0]:.2f}"]
        for value, by in zip(values[1:], differences, strict=True):
            cells += [f"{value:.2f}", _difference(by)]
        body.append((name, cells))
    heads = [names[0]]
    for name in names[1:]:
        heads += [name, "difference"]
    width = max(len(title), *(len(name) for name, _ in body))
    across = [
        max(len(head), *(len(cells[place]) for _, cells in body)) + 2
        for place, head in enumerate(heads)
    ]
    lines = [_line(title, heads, width, across)]
    return lines + [_line(name, cells, width, across) for name, cells in body]


def _line(name: str, cells: Sequence[str], width: int, across: Sequence[int]) -> str:
    return name.ljust(width) + "".join(c.rjust(w) for c, w in zip(cells, across, strict=True))


def _difference(by: Mapping[str, Any]) -> str:
    low, high = by["low"], by["high"]
    if low is None or high is None:
        return f"{by['difference']:+.2f} "
    sure = "*" if low > 0 or high < 0 else " "
    return f"{by['difference']:+.2f} [{low:+.2f}, {high:+.2f}]{sure}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _short(name: str) -> str:
    text = printable(name)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
