"""What to try next: the stage that costs the most points, and the settings that would change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

_WORTH = 0.5  # points below which nothing is said
CLASSES_OF = "classes of"  # how the oracle with the other way of naming classes begins


@dataclass(frozen=True)
class Averages:
    """Average mAP in percent of a run and of its oracles by name; those that could not be made are not there."""

    own: float
    oracles: Mapping[str, float]

    def gain(self, name: str, over: str | None = None) -> float:
        """Points an oracle has more than the run, or than another oracle; 0 where one is not there."""
        if name not in self.oracles or (over is not None and over not in self.oracles):
            return 0.0
        return self.oracles[name] - (self.own if over is None else self.oracles[over])


@dataclass(frozen=True)
class Remedies:
    """What helps against a loss of a head, in words: keys that are there."""

    classes: str
    looser: str
    chosen: str
    finer: str
    segments: str
    stricter: str


_BMN = Remedies(
    classes="the classifier ({}): longer fine-tuning, more frames per clip",
    looser="a larger proposals.count, a larger proposals.alpha",
    chosen="longer training (bmn.epochs), other score powers (proposals.cls_power, proposals.reg_power)",
    finer="a smaller extract.stride, a larger bmn.duration_scale",
    segments="longer training (bmn.epochs), more training videos",
    stricter="a smaller proposals.alpha",
)
_SEGMENTS = replace(
    _BMN,
    looser="a larger detections.count, a larger detections.sigma",
    chosen="longer training (actionformer.epochs), more training videos",
    finer="a smaller extract.stride or actionformer.feature_step, other actionformer.ranges",
    segments="longer training (actionformer.epochs), more training videos",
    stricter="a smaller detections.sigma",
)
_OWN = replace(
    _SEGMENTS,
    classes="the head's classes ({}): longer training (actionformer.epochs), features that separate them better "
    "(longer fine-tuning)",
)
# By head, as `pipeline.runs.ways` names it.
_REMEDIES = {"bmn": _BMN, "actionformer": _SEGMENTS, "actionformer with classes": _OWN}


def next_step(
    averages: Averages, errors: Mapping[str, float], *, by_file: bool = False, head: str = "bmn"
) -> str:
    """One sentence: the largest loss, its figure, and what to try.

    `errors`: points by kind of error, where no oracle says more. `by_file`: the classes come from a file.
    `head`: as `pipeline.runs.ways` names it.
    """
    helps = _REMEDIES[head]
    if by_file:
        helps = replace(helps, classes="the classifier ({}): better class scores")
    points, text = max(_choices(averages, helps), default=(0.0, ""))
    if points >= _WORTH:
        return f"next step: {text}"
    if not errors or max(errors.values()) < _WORTH:
        return "next step: no error costs much; another network, or more training videos"
    return f"next step: {of_errors(errors, head=head)}"


def _choices(averages: Averages, helps: Remedies) -> list[tuple[float, str]]:
    known = averages.oracles
    other = next((name for name in known if name.startswith(CLASSES_OF)), "")
    choices = []
    if other:
        mode = "video" if "video" in other else "proposal"
        text = f"{other} would give {known[other]:.1f}: classify.mode={mode} (with classify.source=features)"
        choices.append((averages.gain(other) * 3, text))  # a setting is cheaper than a training
    if "true classes" in known:
        text = helps.classes.format(f"true classes would give {known['true classes']:.1f}")
        choices.append((averages.gain("true classes"), text))
    lost = averages.gain("before NMS", "nearest kept")
    text = (
        f"loosen NMS (the best proposals it drops would give {lost:.1f} points more): {helps.looser}; `tada-loc sweep` tries "
        "both in a minute"
    )
    choices.append((lost, text))
    if "true segments" in known:
        choices.append(_segments(averages, helps))
    return choices


def _segments(averages: Averages, helps: Remedies) -> tuple[float, str]:
    """What the proposals cost, and whether it is their choice, the grid, or the network."""
    known = averages.oracles
    points, limit = averages.gain("true segments"), known.get("grid", 100.0)
    chosen = averages.gain("nearest kept")
    if chosen > points / 2:
        best = known["nearest kept"]
        return (
            points,
            f"the proposals' scores (the best of each video would give {best:.1f}): {helps.chosen}",
        )
    if 100 - limit > points / 2:
        return points, f"a finer grid (its best segments give {limit:.1f}): {helps.finer}"
    true = known["true segments"]
    return points, f"the proposals (true segments would give {true:.1f}): {helps.segments}"


def of_errors(errors: Mapping[str, float], *, head: str = "bmn") -> str:
    """What to try against the kind of error that costs the most points."""
    kind = max(errors, key=lambda name: errors[name])
    against = _AGAINST[kind].format(helps=_REMEDIES[head])
    return f"{kind} costs {errors[kind]:.1f} points: {against}"


_AGAINST: Mapping[str, str] = {
    "wrong label": "a better classifier (longer fine-tuning, more frames per clip)",
    "boundaries off": "better boundaries (a finer grid, longer training of the proposal network)",
    "both": "better proposals and a better classifier",
    "nothing there": "scores that separate actions from background (longer training, more background)",
    "twice": "stricter NMS ({helps.stricter})",
    "missed": "more proposals (looser NMS: {helps.looser}), or a grid that fits ({helps.finer})",
}
