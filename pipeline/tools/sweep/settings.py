"""The settings that are tried: all combinations of values, or some drawn at random."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.configuration.sections.detection import ClassifySettings, ProposalSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.errors import UsageError
from pipeline.tools.sweep.axes import Axis

MOST = 10_000  # settings of a grid
_DIGITS = 3  # that mean something in a number drawn
_PATIENCE = 50  # draws for each setting that is wanted


@dataclass(frozen=True)
class Setting:
    """Settings after the networks, and the values of the swept keys among them."""

    values: tuple[Any, ...]
    proposals: ProposalSettings
    classify: ClassifySettings

    def is_of(self, config: DetectionConfig) -> bool:
        """Whether these are the settings of a configuration."""
        return (self.proposals, self.classify) == (config.proposals, config.classify)


def settings_to_try(
    axes: Sequence[Axis], config: DetectionConfig, *, trials: int | None, seed: int
) -> tuple[Setting, ...]:
    """The grid of all values, or `trials` different settings drawn by `seed`; with the present one in any case.

    Raises UsageError where there are too many, or a range is given without `trials`.
    """
    span = next((axis for axis in axes if axis.span is not None), None)
    count = math.prod(len(axis.values) for axis in axes)
    if trials is None and span is not None and span.span is not None:
        low, high = span.span[:2]
        raise UsageError(
            f"{span.key}={low:g}..{high:g} is a range: say with --trials N how many settings are drawn, or write "
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
        found.append(Setting(values, config.proposals, config.classify))
    return tuple(found)


def _setting(axes: Sequence[Axis], values: tuple[Any, ...], config: DetectionConfig) -> Setting:
    def with_values(section: str) -> dict[str, Any]:
        pairs = zip(axes, values, strict=True)
        return {axis.name: value for axis, value in pairs if axis.section == section}

    return Setting(
        values,
        config.proposals.model_copy(update=with_values("proposals")),
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
