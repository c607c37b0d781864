"""The reasons of a report: what each stage could still give, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.pages.report_values import Analysis, Bar
from pipeline.tools.why.advice import Averages, next_step

_BEGINS = "next step: "
_NAMES = {  # of the oracles, as a page calls them
    "true classes": "true classes on our proposals",
    "true segments": "our classes on true segments",
    "grid": "the best segments of the grid",
    "before NMS": "the nearest before NMS",
    "nearest kept": "the nearest after NMS",
}


def stages_of(why: Mapping[str, Any] | None) -> list[Bar]:
    """Points of mAP that each oracle of a run would win, of the leading task; what could not be made is left out."""
    bars = []
    for row in [] if why is None else why["stages"]:
        for task in list(row["tasks"].values())[:1]:
            note = " ".join(filter(None, (row["what"], row["note"])))
            bars.append(Bar(_NAMES.get(row["name"], row["name"]), task["gain"], None, note))
    return bars


def advice_of(
    found: Analysis, why: Mapping[str, Any] | None = None, *, head: str = "bmn"
) -> list[str]:
    """A sentence about what to try: by the stages where these are known, else by the kinds of errors."""
    if why is not None:
        said = str(why["advice"])
    else:
        gains = {bar.name: bar.points for bar in found.errors if not bar.sum}
        said = next_step(Averages(0.0, {}), gains, head=head)
    return [said.removeprefix(_BEGINS)]
