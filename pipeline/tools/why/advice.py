"""What to try next: the stage that costs the most points, and the settings that would change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_WORTH = 0.5  # points that are worth a word
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


def next_step(averages: Averages, errors: Mapping[str, float], *, by_file: bool = False) -> str:
    """One sentence: the largest loss, its figure, and what to try.

    `errors`: points by kind of error, where no oracle says more. `by_file`: the classes come from a file.
    """
    choices = _choices(averages, by_file=by_file)
    points, text = max(choices, default=(0.0, ""))
    if points >= _WORTH:
        return f"next step: {text}"
    if not errors or max(errors.values()) < _WORTH:
        return "next step: none of these costs much; another network, or more training videos"
    return f"next step: {of_errors(errors)}"


def _choices(averages: Averages, *, by_file: bool) -> list[tuple[float, str]]:
    known = averages.oracles
    other = next((name for name in known if name.startswith(CLASSES_OF)), "")
    choices = []
    if other:
        mode = "video" if "video" in other else "proposal"
        text = f"{other} would give {known[other]:.1f}: classify.mode={mode} (with classify.source=features)"
        choices.append((averages.gain(other) * 3, text))  # a setting is cheaper than a training
    if "true classes" in known:
        how = "better class scores" if by_file else "longer fine-tuning, more frames a clip"
        text = f"the classifier (true classes would give {known['true classes']:.1f}): {how}"
        choices.append((averages.gain("true classes"), text))
    lost = averages.gain("before NMS", "nearest kept")
    text = (
        f"loosen NMS (the best it drops would give {lost:.1f} points more): a larger proposals.count, a "
        "larger proposals.alpha; `tada-loc sweep` tries both in a minute"
    )
    choices.append((lost, text))
    if "true segments" in known:
        choices.append(_segments(averages))
    return choices


def _segments(averages: Averages) -> tuple[float, str]:
    """What the proposals cost, and whether it is their choice, the grid, or the network."""
    known = averages.oracles
    points, limit = averages.gain("true segments"), known.get("grid", 100.0)
    chosen = averages.gain("nearest kept")
    if chosen > points / 2:
        text = (
            f"the proposals' scores (the best of each video would give {known['nearest kept']:.1f}): longer "
            "training (bmn.epochs), other score powers (proposals.cls_power, proposals.reg_power)"
        )
    elif 100 - limit > points / 2:
        text = (
            f"a finer grid (its best segments give {limit:.1f}): a smaller extract.stride, a larger "
            "bmn.duration_scale"
        )
    else:
        text = (
            f"the proposals (true segments would give {known['true segments']:.1f}): longer training "
            "(bmn.epochs), more training videos"
        )
    return points, text


def of_errors(errors: Mapping[str, float]) -> str:
    """What to try against the kind of error that costs the most points."""
    kind = max(errors, key=lambda name: errors[name])
    return f"{kind} costs {errors[kind]:.1f} points: {_AGAINST[kind]}"


_AGAINST: Mapping[str, str] = {
    "wrong label": "a better classifier (longer fine-tuning, more frames a clip)",
    "boundaries off": "better boundaries (a finer grid, longer training of the proposal network)",
    "both": "better proposals and a better classifier",
    "nothing there": "scores that tell something from nothing (longer training, more background)",
    "twice": "stricter NMS (a smaller proposals.alpha)",
    "missed": "more proposals (a larger proposals.count, looser NMS), or a grid with longer durations",
}
