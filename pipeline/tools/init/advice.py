"""The configuration that suits a user's own footage, and why: what `tada-loc init` writes.

Every number is a key of the configuration with the reason for it; `docs/how-to/own-data.md` shows the
measurements.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from pipeline.configuration.yaml_text import write_yaml
from pipeline.tools.init import heads
from pipeline.tools.init.footage import Footage
from pipeline.tools.init.heads import Entry

FRAMES = 8  # of a clip, as in the paper
LONGEST_CLIP = 1.1  # seconds: 8 frames, 8 apart, at 60 per second, as on EPIC-KITCHENS-100; longer ones blur boundaries
POSITIONS_IN_SHORTEST = 8  # boundaries are found to about a position
LENGTHS_BEYOND = 1.25  # the longest proposal over the longest usual action
FAR_APART = 4  # commonest over rarest class from which rare ones are drawn more often


@dataclass(frozen=True)
class Machine:
    """What a kind of machine can train in reasonable time.

    `fps` is the most frames per second worth decoding, `clips` the most clips of all footage together,
    `durations` the most BMN durations.
    """

    fps: float
    clips: int
    durations: int
    backbone: dict[str, Any]
    finetune: dict[str, Any]
    sides: tuple[int, int]
    bmn: dict[str, Any]
    former: heads.Former


CPU = Machine(
    fps=15,
    clips=60_000,
    durations=48,
    backbone={"depth": [1, 1, 1, 1], "width": 16, "dropout": 0.0},
    finetune={"base_lr": 2.0e-3, "batch_size": 16, "epochs": 20, "min_steps": 600},
    sides=(64, 72),
    bmn={"hidden_1d": 64, "hidden_2d": 32, "hidden_3d": 64, "num_samples": 16, "base_lr": 4.0e-3},
    former=heads.CPU,
)
GPU = Machine(
    fps=30,
    clips=1_000_000,
    durations=100,
    backbone={"depth": 50, "pretrained": "imagenet"},
    finetune={"base_lr": 1.0e-4, "batch_size": 16, "epochs": 30, "min_steps": 1000},
    sides=(224, 256),
    bmn={"base_lr": 2.0e-3},
    former=heads.GPU,
)
MACHINES = {"cpu": CPU, "gpu": GPU}


@dataclass(frozen=True)
class Grid:
    """Clips and positions: frames per second, frames from one to the next, frames from clip to clip.

    `why` says what decided the stride.
    """

    fps: int
    interval: int
    stride: int
    durations: int
    why: str

    @property
    def position(self) -> float:
        """Seconds of a position."""
        return self.stride / self.fps


def choose_grid(footage: Footage, machine: Machine) -> Grid:
    """The clip grid and the longest proposal, from the lengths of the segments."""
    fps = max(1, round(min(machine.fps, footage.fps)))
    span = min(footage.quarter, LONGEST_CLIP)
    interval = max(1, round(span * fps / FRAMES))
    wanted = footage.longest * LENGTHS_BEYOND
    shortest = f"of an action of {footage.shortest:.2g} s; 95 of 100 are longer"
    position, why = max(
        (footage.shortest / POSITIONS_IN_SHORTEST, f"1/{POSITIONS_IN_SHORTEST} {shortest}"),
        (
            wanted / machine.durations,
            f"else actions of {footage.longest:.3g} s need more than {machine.durations} positions",
        ),
        (footage.seconds / machine.clips, f"else there are more than {machine.clips} of them"),
    )
    if position * fps < 1:
        why = "every frame, the smallest stride"
    stride = max(1, round(position * fps))
    return Grid(fps, interval, stride, max(4, math.ceil(wanted * fps / stride)), why)


def advice(footage: Footage, kind: str) -> dict[str, list[Entry]]:
    """Section by section the entries of a configuration for this footage on a machine of this kind."""
    machine = MACHINES[kind]
    grid = choose_grid(footage, machine)
    clip = _clip(footage, machine, grid)
    return {
        "backbone": _backbone(machine, kind),
        "finetune": [*clip, *_finetune(footage, machine)],
        "extract": [
            *[(key, value, "as in finetune") for key, value, _ in clip],
            (
                "stride",
                grid.stride,
                f"a feature every {grid.position:.2g} s: {grid.why}",
            ),
            ("short_side", machine.sides[0], "pixels, as in validation"),
            ("crop", "whole", "as in finetune"),
        ],
        "detector": heads.detector(),
        "bmn": _bmn(footage, machine, grid),
        "proposals": [
            ("boundary_power", 0.0, "the boundary scores select proposals and do not weight them"),
            ("voting", 0.75, "overlapping proposals refine the ends of a picked one"),
        ],
        "actionformer": heads.actionformer(footage, machine.former, grid.position),
        "classify": [
            ("mode", "proposal", "each proposal has its own classes"),
            ("spread", "inside", "clips that reach beyond a proposal's ends see its surroundings"),
        ],
        "eval": [("iou", "0.1:0.1:0.5", "others: tada-loc eval --iou 0.5:0.05:0.95")],
    }


def _clip(footage: Footage, machine: Machine, grid: Grid) -> list[Entry]:
    """What a clip is, in fine-tuning and extraction alike."""
    rate = f"the videos have {footage.fps:.4g}; more than {machine.fps:g} takes longer and gains little"
    span = (
        f"a clip spans {((FRAMES - 1) * grid.interval + 1) / grid.fps:.2g} s; a quarter of the actions are shorter than "
        f"{footage.quarter:.2g} s"
    )
    return [
        ("fps", grid.fps, rate),
        ("frames", FRAMES, "of a clip"),
        ("interval", grid.interval, span),
    ]


def _backbone(machine: Machine, kind: str) -> list[Entry]:
    why = {
        "depth": "small: trains in minutes without a GPU" if kind == "cpu" else "ResNet-50",
        "width": "channels of the first stage",
        "dropout": "a small network needs none",
        "pretrained": "or the path of a Kinetics checkpoint: more accurate, and needs fewer epochs",
    }
    entries: list[Entry] = [("name", "tada2d", "")]
    return entries + [(key, value, why[key]) for key, value in machine.backbone.items()]


def _finetune(footage: Footage, machine: Machine) -> list[Entry]:
    low, high = machine.sides
    values = machine.finetune
    apart = footage.commonest > FAR_APART * footage.rarest
    entries: list[Entry] = [
        (
            "short_side",
            [low, high],
            f"pixels, drawn for each batch; the videos have {footage.short_side}",
        ),
        ("crop", "whole", "training sees what extraction will see"),
        ("eval_short_side", low, "as in extract"),
        ("optimizer", "adamw", ""),
        ("base_lr", values["base_lr"], "for this batch_size; change both together"),
        ("batch_size", values["batch_size"], ""),
        ("epochs", values["epochs"], f"of {footage.training_segments} training segments"),
        ("min_steps", values["min_steps"], "raises the epochs of a small set"),
        ("warmup_epochs", 2, ""),
        ("weight_decay", 0.02, ""),
        ("keep", "ema", "the moving average of the weights: no epoch has to be chosen"),
        (
            "balance",
            "sqrt" if apart else "none",
            f"the commonest class has {footage.commonest} training segments, the rarest {footage.rarest}",
        ),
    ]
    shown = ", ".join(footage.sided[:2])
    if footage.sided and footage.paired:
        why = f"a mirror image has the label of the other side ({shown})"
        entries.append(("flip_swaps_sides", True, why))
    elif footage.sided:
        entries.append(("flip", 0.0, f"a mirror image would make labels wrong ({shown})"))
    return entries


def _bmn(footage: Footage, machine: Machine, grid: Grid) -> list[Entry]:
    scale = min(max(4 * grid.durations, 64), max(128, 2 * grid.durations))
    longest = grid.durations * grid.position
    return [
        ("mode", "windows", "of a video of any length"),
        (
            "temporal_scale",
            scale,
            f"positions per window: {scale * grid.position:.3g} s seen at once",
        ),
        (
            "duration_scale",
            grid.durations,
            f"proposals of up to {longest:.3g} s; 98 of 100 actions are shorter than {footage.longest:.3g} s",
        ),
        ("window_step", scale - grid.durations, "so that each action fits whole into a window"),
        ("random_windows", True, "windows shift in every epoch"),
        ("boundary_center", 0.5, "boundaries without bias, up to a video's end"),
        *[(key, machine.bmn[key], "") for key in machine.bmn if key != "base_lr"],
        ("optimizer", "adamw", ""),
        ("base_lr", machine.bmn["base_lr"], ""),
        ("batch_size", 8, "at most a quarter of the windows is used"),
        ("epochs", 20, ""),
        ("min_steps", 600, "raises the epochs of a small set"),
        ("warmup_epochs", 1, ""),
        ("weight_decay", 0.05, ""),
        ("keep", "ema", ""),
    ]


def _value(value: Any) -> str:
    """A value as YAML on one line; what is not printable is escaped."""
    plain = json.dumps(value, ensure_ascii=False).isprintable()
    text = write_yaml(value, default_flow_style=True, width=10_000, allow_unicode=plain)
    return text.removesuffix("...\n").strip()


def configuration_text(heading: str, sections: dict[str, list[Entry]]) -> str:
    """YAML with each entry's reason as a comment; `heading` is lines of a comment before it."""
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    for section, entries in sections.items():
        lines += ["", f"{section}:"]
        for key, value, reason in entries:
            entry = f"  {key}: {_value(value)}"
            # A label may contain characters that would end the comment.
            said = "".join(mark if mark.isprintable() else "?" for mark in reason)
            lines.append(f"{entry:31s} # {said}" if said else entry)
    return "\n".join(lines) + "\n"
