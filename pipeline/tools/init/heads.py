"""What `tada-loc init` writes of both detector heads, and which of them it chooses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pipeline.data.sequences.learnt import levels_for
from pipeline.tools.init.footage import Footage

CHOSEN = "actionformer"  # by measurement: docs/how-to/actionformer.md
LEVELS = (3, 7)  # least and most; the paper has 6
WITHIN_SAMPLE = 1.25  # a training sample over the longest usual action
MANY_SEGMENTS = 5000  # from which a wide network has enough to learn from

Entry = tuple[str, Any, str]  # key, value, reason


@dataclass(frozen=True)
class Former:
    """ActionFormer as a kind of machine trains it: channels, with few segments and with many, and longest sample."""

    narrow: int
    wide: int
    longest: int
    window: int
    base_lr: float


CPU = Former(narrow=64, wide=128, longest=768, window=9, base_lr=1.0e-3)
GPU = Former(narrow=256, wide=512, longest=2304, window=19, base_lr=1.0e-4)


def detector(chosen: str = CHOSEN) -> list[Entry]:
    """Which head is used."""
    other = "actionformer" if chosen == "bmn" else "bmn"
    return [("name", chosen, f"or {other}: its section is below, and the same features serve both")]


def actionformer(footage: Footage, machine: Former, position: float) -> list[Entry]:
    """The section of ActionFormer; `position` are the seconds from feature to feature."""
    longest = footage.longest / position
    levels = min(max(levels_for(longest), LEVELS[0]), LEVELS[1])
    length, why = _max_length(footage, machine, position, 2 ** (levels - 1))
    few = footage.training_segments < MANY_SEGMENTS
    pairs: list[Entry] = [("trunk", "shared", "verbs and nouns on one network")]
    return [
        ("feature_step", 1, "the stride above suits the actions"),
        ("max_length", length, why),
        (
            "levels",
            levels,
            f"98 of 100 actions are shorter than {footage.longest:.3g} s, {longest:.0f} positions",
        ),
        ("window", machine.window, "positions that attention reaches over"),
        (
            "width",
            machine.narrow if few else machine.wide,
            f"channels, for {footage.training_segments} training segments",
        ),
        *(pairs if footage.verbs_and_nouns else []),
        ("base_lr", machine.base_lr, ""),
        ("batch_size", 4, "videos; at most a quarter of them is used"),
        ("epochs", 30, ""),
        ("min_steps", 400, "raises the epochs of a small set; about as long as BMN takes"),
        ("ema_decay", 0.99, "of a short training; 0.999 would still hold its initial weights"),
    ]


def _max_length(footage: Footage, machine: Former, position: float, least: int) -> tuple[int, str]:
    """Positions of a training sample, a multiple of `least`, and why this many."""
    seconds = footage.longest_video or footage.seconds / max(1, footage.videos)
    whole = seconds / position
    action = WITHIN_SAMPLE * footage.longest / position
    length = max(1, math.ceil(max(min(whole, machine.longest), action) / least)) * least
    said = f"positions of a sample, {length * position:.3g} s"
    if length >= whole:
        return length, f"{said}: no video is longer than {seconds:.3g} s"
    if action > machine.longest:
        return length, f"{said}: the longest usual action with a quarter around it"
    return length, f"{said}: of a longer video an epoch sees a part"
