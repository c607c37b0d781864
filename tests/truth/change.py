"""What a change is, and which stages it can reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from truth.looking import STAGES
from truth.world import TRAIN, World

Outcome = Literal["same", "trains", "stops", "refused", "safe"]
# What each stage reads, as files of the run folder.
READS = {
    "finetune": (),
    "extract": ("finetune/model.pt",),
    "bmn": tuple(f"extract/features/{video}.h5" for video in TRAIN),
    "proposals": ("bmn/model.pt", "extract/features/"),
    "classify": ("finetune/model.pt", "bmn/proposals/", "extract/features/"),
    "eval": ("bmn/proposals/proposals.csv", "classify/detections.csv"),
}
AFTER = {
    "finetune": STAGES,
    "extract": STAGES[1:],
    "bmn": STAGES[2:],
    "proposals": STAGES[3:],
    "classify": STAGES[4:],
    "eval": STAGES[5:],
}


@dataclass(frozen=True)
class Change:
    """One change, and what it has to lead to (`tests/truth/__init__.py` says what the words mean).

    `may`: further stages that may be redone. `scratch`: "base" where the results stay those of the
    finished run although a run from scratch would not come to them. `on_run`: the run folder is
    changed, not what the run is made of.
    """

    name: str
    apply: Callable[[World], Any]
    outcome: Outcome = "same"
    first: tuple[str, ...] = ()
    videos: tuple[str, ...] | None = None
    says: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    base: str = "plain"
    scratch: Literal["now", "base"] = "now"
    on_run: bool = False
    brief: bool = False  # ends with what `run` says or does: another change continues from there
    must_differ: bool = False  # from scratch it must come to other results, or the test is none
