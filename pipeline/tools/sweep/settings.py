"""The settings that are tried: all combinations of values, or some drawn at random."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.configuration.sections.actionformer import DetectionsSettings
from pipeline.configuration.sections.detection import ClassifySettings, ProposalSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.errors import UsageError
from pipeline.tools.sweep.axes import Axis

Finding = ProposalSettings | DetectionsSettings
MOST = 10_000  # settings of a grid
_DIGITS = 3  # that mean something in a number drawn
_PATIENCE = 50  # draws for each setting that is wanted


@dataclass(frozen=True)
class Setting:
    """Settings after the networks, and the values of the swept keys among them.

    `finding`: what is made of the head's outputs, `proposals` of BMN and `detections` of ActionFormer.
    """

    values: tuple[Any, ...]
    finding: Finding
    classify: ClassifySettings

    def is_of(self, config: DetectionConfig) -> bool:
        """Whether these are the settings of a configuration."""
        return (self.finding, self.classify) == (finding_of(config), config.classify)


def finding_section(config: DetectionConfig) -> str:
    """The section that says what is made of the head's outputs."""
    return "proposals" if config.detector.name == "bmn" else "detections"


def finding_of(config: DetectionConfig) -> Finding:
    """The settings that say what is made of the head's outputs."""
    return config.proposals if config.detector.name == "bmn" else config.detections


def require_used(axes: Sequence[Axis], config: DetectionConfig) -> None:
    """Refuse keys of a section that the run does without. Raises UsageError."""
    head, found = config.detector.name, finding_section(config)
    for axis in axes:
        if axis.section == "classify" and config.names_own_classes:
            raise UsageError(
                f"{axis.key} has no effect here: the head predicts the classes itself (actionformer.classes=own); sweep "
                f"keys of {found}"
            )
        if axis.section not in (found, "classify"):
            raise UsageError(
                f"{axis.key} has no effect on a run with detector.name={head}; sweep keys of {found}"
            )


def settings_to_try(
    axes: Sequence[Axis], config: DetectionConfig, *, trials: int | None, seed: int
) -> tuple[Setting, ...]:
    """The grid of all values, or `trials` different settings drawn by `seed`; with the present one in any case.

    Raises UsageError if there are too many, or a range is given without `trials`.
    """
    span = next((axis for axis in axes if axis.span is not None), None)
    count = math.prod(len(axis.values) for axis in axes)
    if trials is None and span is not None and span.span is not None:
        low, high = span.span[:2]
        raise UsageError(
            f"{span.key}={low:g}..{high:g} is a range: set with --trials N how many settings to draw, or write "
            "its values one by one"
        )
    if trials is None and count > MOST:
        raise UsageError(f"{count} settings: give fewer values, or --trials N to draw some")
    if trials is None or (span is None and count <= trials):
        chosen: Iterator[tuple[Any, ...]] = itertools.product(*(axis.values for axis in axes))
    else:
        chosen = _drawn(axes, trials, np.random.default_rng(seed))
    found = [_setting(axes, values, config) for values in chosen]
    if not any(setting.is_of(config) for setting in found):
        values = tuple(getattr(config.section(axis.section), axis.name) for axis in axes)
        found.append(Setting(values, finding_of(config), config.classify))
    return tuple(found)


def _setting(axes: Sequence[Axis], values: tuple[Any, ...], config: DetectionConfig) -> Setting:
    def with_values(section: str) -> dict[str, Any]:
        pairs = zip(axes, values, strict=True)
        return {axis.name: value for axis, value in pairs if axis.section == section}

    return Setting(
        values,
        finding_of(config).model_copy(update=with_values(finding_section(config))),
        config.classify.model_copy(update=with_values("classify")),
    )


def _drawn(
    axes: Sequence[Axis], trials: int, rng: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    """Different settings, `trials` of them, or fewer where no more are found."""
    seen: set[tuple[Any, ...]] = set()
    for _ in range(_PATIENCE * trials):
        values = tuple(_draw(axis, rng) for axis in axes)
        if values not in seen:
            seen.add(values)
            yield values
        if len(seen) == trials:
            return


def _draw(axis: Axis, rng: np.random.Generator) -> Any:
    if axis.span is None:
        return axis.values[int(rng.integers(len(axis.values)))]
    low, high, whole = axis.span
    if whole:
        return int(rng.integers(math.ceil(low), math.floor(high) + 1))
    value = float(f"{rng.uniform(low, high):.{_DIGITS}g}")
    return min(max(value, low), high)
