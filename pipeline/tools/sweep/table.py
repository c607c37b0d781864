"""What a sweep has found: the table of settings, sentences about the best, and plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.configuration.yaml_text import write_yaml
from pipeline.printing import printable
from pipeline.results import scoring
from pipeline.tools.sweep.figures import Figures, Measured
from pipeline.tools.sweep.running import Sweep

ROWS = 30  # of the table
Found = Mapping[int, Measured]  # by place among the settings


def ranking(sweep: Sweep, found: Found) -> list[int]:
    """The places of the settings that were tried, the best first; of equal ones the run's own, then the first given."""
    own = sweep.present
    return sorted(found, key=lambda n: ([-value for value in found[n].criterion], n != own, n))


def best_of(sweep: Sweep, found: Found) -> int:
    """The place of the best setting; the run's own where none is better."""
    return ranking(sweep, found)[0]


def sweep_table(sweep: Sweep, found: Found) -> str:
    """The settings that were tried, the best first, and what to make of them."""
    order = ranking(sweep, found)
    shown = order[:ROWS]
    if sweep.present in order[ROWS:]:
        shown.append(sweep.present)
    titles, numbers = _columns(sweep)
    rows = [["", *(axis.key for axis in sweep.axes), *titles]]
    for n in shown:
        values = [_text(value) for value in sweep.settings[n].values]
        figures = [f"{column(found[n]):.2f}" for column in numbers]
        mark = "*" if n == sweep.present else " "
        rows.append([f"{order.index(n) + 1}{mark}", *values, *figures])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in rows
    ]
    if len(order) > len(shown):
        lines.append(f"and {len(order) - len(shown)} more; --json FILE has all")
    return "\n".join([*lines, *_sentences(sweep, found)])


def sweep_as_json(sweep: Sweep, found: Found) -> dict[str, Any]:
    """All settings that were tried, the best first, as plain values; figures in percent."""
    best = best_of(sweep, found)
    rows = [
        {
            "values": setting_values(sweep, n),
            "present": n == sweep.present,
            "best": n == best,
            **found[n].as_json(),
        }
        for n in ranking(sweep, found)
    ]
    halves = sweep.halves
    honest = halves and {
        "seed": halves.seed,
        "chosen_on": sorted(halves.chosen_on),
        "held_out": sorted(halves.held_out),
    }
    content = {
        "run": str(sweep.run.folder),
        "iou": scoring.as_thresholds(sweep.run.detection.eval.iou),
        "tried": len(found),
        "of": len(sweep.settings),
        "honest": honest,
        "settings": rows,
    }
    plain: dict[str, Any] = json.loads(json.dumps(content, default=str))
    return plain


def setting_values(sweep: Sweep, place: int) -> dict[str, Any]:
    """A setting's values by key."""
    pairs = zip(sweep.axes, sweep.settings[place].values, strict=True)
    return {axis.key: value for axis, value in pairs}


def said(sweep: Sweep, place: int) -> str:
    """A setting as it is given on a command line."""
    values = setting_values(sweep, place)
    return " ".join(f"{key}={_text(value)}" for key, value in values.items())


def _columns(sweep: Sweep) -> tuple[list[str], list[Callable[[Measured], float]]]:
    """Titles, and what stands below them: the average and the mAP at 0.5, or at the first threshold."""
    tious = scoring.as_thresholds(sweep.run.detection.eval.iou)
    at = tious.index(0.5) if 0.5 in tious else 0
    columns: list[tuple[str, Callable[[Measured], float]]] = [
        ("average", lambda found: found.all.average),
        (f"@{tious[at]:g}", lambda found: found.all.map[at]),
    ]
    if sweep.halves is not None:
        columns = [
            ("chosen on", lambda found: _of(found.chosen_on)),
            ("held out", lambda found: _of(found.held_out)),
            *columns,
        ]
    titles, numbers = zip(*columns, strict=True)
    return list(titles), list(numbers)


def _of(figures: Figures | None) -> float:
    return math.nan if figures is None else figures.average


def _sentences(sweep: Sweep, found: Found) -> list[str]:
    best, own, halves = best_of(sweep, found), sweep.present, sweep.halves
    total = len(sweep.settings)
    count = f"{len(found)} settings" if len(found) == total else f"{len(found)} of {total} settings"
    lines = [f"{count}; * is the run's setting; mAP in percent"]
    lines += [
        f"{key}: its values do not change any figure" for key in _without_effect(sweep, found)
    ]
    if own not in found:
        return lines
    if best == own:
        return [*lines, "none is better than the run's setting"]
    gain = found[best].all.average - found[own].all.average
    lines.append(
        f"best: {said(sweep, best)}: {found[best].all.average:.2f}, the run's "
        f"{found[own].all.average:.2f} ({gain:+.2f})"
    )
    if halves is None:
        lines.append("chosen on the videos it is measured on: --honest gives an unbiased number")
        return lines
    there, here = _of(found[best].held_out), _of(found[own].held_out)
    lines.append(
        f"honest: chosen on {len(halves.chosen_on)} videos (seed {halves.seed}), it has {there:.2f} on the "
        f"{len(halves.held_out)} others, the run's own {here:.2f} ({there - here:+.2f})"
    )
    return lines


def _without_effect(sweep: Sweep, found: Found) -> list[str]:
    """The keys of which several values were tried and none changes a figure, all else being equal."""
    keys = []
    for place, axis in enumerate(sweep.axes):
        groups: dict[Any, list[int]] = {}
        for n in found:
            values = sweep.settings[n].values
            groups.setdefault((*values[:place], *values[place + 1 :]), []).append(n)
        several = [group for group in groups.values() if len(group) > 1]
        compared = {n for group in several for n in group}
        every = {sweep.settings[n].values[place] for n in found}
        if every != {sweep.settings[n].values[place] for n in compared}:
            continue  # not each value beside another one
        if all(found[n] == found[group[0]] for group in several for n in group):
            keys.append(axis.key)
    return keys


def _text(value: Any) -> str:
    """A value as a user writes it."""
    text = (
        write_yaml(value).removesuffix("\n").removesuffix("\n...") if value is not None else "null"
    )
    return printable(text)
