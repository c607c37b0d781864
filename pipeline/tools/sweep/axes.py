"""`KEY=V1,V2,...` and `KEY=LOW..HIGH`: which values of which keys are tried."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.configuration.keys import known_keys
from pipeline.configuration.reading import load_config
from pipeline.configuration.yaml_text import read_yaml
from pipeline.errors import UsageError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SPAN = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
# Why a key cannot be swept, by itself or by its section.
_TRAINED = (
    "{key} changes a training, and a sweep does not train: set it and run `tada-loc {command}`"
)
_REFUSED = {
    "finetune": _TRAINED.replace("{command}", "finetune"),
    "backbone": _TRAINED.replace("{command}", "finetune"),
    "dataset": "{key} defines the run's data: a sweep takes the run as it is; leave it out",
    "views": "{key} is used by eval-classifier only; leave it out",
    "extract": "{key} changes the features: set it and run `tada-loc extract`, then train the head again",
    "bmn": _TRAINED.replace("{command}", "bmn"),
    "actionformer": _TRAINED.replace("{command}", "detect"),
    "detector": "{key} chooses the head: set it and run `tada-loc run`",
    "bmn.keep_maps": "{key} changes no result; leave it out",
    "eval": "{key} sets how results are measured: set it for `tada-loc eval`; a sweep uses the run's",
    "runtime": "{key} changes no result; leave it out",
    "classify.scores": "{key} names a file: give it to `tada-loc eval` first, then sweep",
}


class Span(NamedTuple):
    """A range of numbers, both ends included; `whole` ones alone."""

    low: float
    high: float
    whole: bool


@dataclass(frozen=True)
class Axis:
    """A key and what is tried of it: values, or a span of numbers."""

    key: str
    values: tuple[Any, ...] = ()
    span: Span | None = None

    @property
    def section(self) -> str:
        """The section of the key."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """The key's name in its section."""
        return self.key.partition(".")[2]


def parse_axes(words: Sequence[str], configuration: Path) -> tuple[Axis, ...]:
    """What is tried of each key; values are YAML, and checked as those of the `configuration` file are.

    Keys with one value alone hold for the others: `detections.per_class=false detections.voting=0.5,0.7`. Raises UsageError naming the key, its value, and what is wrong; for a misspelt key the nearest one.
    """
    given: dict[str, list[Any]] = {}
    for word in words:
        key, found, text = (part.strip() for part in word.partition("="))
        if not found or not key:
            raise UsageError(f"{word!r}: write KEY=VALUE,VALUE,... as proposals.alpha=0.3,0.4")
        if key in given:
            raise UsageError(f"{key} is given twice: write all its values after one =")
        _require_swept(key)
        given[key] = _values(key, text)
    fixed = {
        key: values[0]
        for key, values in given.items()
        if len(values) == 1 and _range_of(values) is None
    }
    taken = _Taken(configuration, fixed)
    return tuple(_axis(key, values, taken) for key, values in given.items())


class _Taken(NamedTuple):
    """What values are checked against: a configuration file, and keys that have other values in a sweep."""

    configuration: Path
    fixed: dict[str, Any]


def _range_of(values: Sequence[Any]) -> re.Match[str] | None:
    """The range that the values of a key are, None if they are values."""
    alone = values[0] if len(values) == 1 else None
    return _SPAN.fullmatch(alone) if isinstance(alone, str) else None


def _axis(key: str, values: Sequence[Any], taken: _Taken) -> Axis:
    found = _range_of(values)
    if found is not None:
        return Axis(key, span=_span(key, found, taken))
    checked = [_checked(key, value, taken) for value in values]
    distinct = [value for place, value in enumerate(checked) if value not in checked[:place]]
    return Axis(key, tuple(distinct))


def _values(key: str, text: str) -> list[Any]:
    try:
        values = read_yaml(f"[{text}]")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{key}={text}: is not a list of YAML values") from error
    if not isinstance(values, list) or not values:
        raise UsageError(f"{key}={text}: no value is given; write {key}=VALUE,VALUE,...")
    if any(isinstance(value, (list, dict)) for value in values):
        raise UsageError(f"{key}={text}: values in a sweep are single values, not lists")
    return values


def _span(key: str, match: re.Match[str], taken: _Taken) -> Span:
    low, high = (float(text) for text in match.groups())
    if not low < high:
        raise UsageError(f"{key}={match[0]}: the end of the range must be above its start")
    whole = _takes_whole(key, low, taken)
    for text in match.groups():
        _checked(
            key,
            int(float(text)) if whole and float(text).is_integer() else float(text),
            taken,
        )
    return Span(low, high, whole)


def _takes_whole(key: str, low: float, taken: _Taken) -> bool:
    """Whether a key takes whole numbers and no others."""
    try:
        _checked(key, float(int(low)) + 0.5, taken)
    except UsageError as error:
        return "integer" in error.message
    return False


def _checked(key: str, value: Any, taken: _Taken) -> Any:
    """A value as the configuration has it. Raises UsageError naming the key."""
    try:
        config = load_config(taken.configuration, {**taken.fixed, key: value}, quiet=True)
    except UsageError as error:
        if key in error.message:
            raise
        raise UsageError(f"{key}={value}: {error.message}") from error
    section, _, name = key.partition(".")
    return getattr(config.section(section), name)


def _require_swept(key: str) -> None:
    """Refuse a key that is none, and one that a sweep cannot try. Raises UsageError."""
    keys = known_keys()
    if key not in keys and not any(name.startswith(f"{key}.") for name in keys):
        near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
        raise UsageError(f"unknown key {key}" + (f" (did you mean {near[0]}?)" if near else ""))
    why = _REFUSED.get(key) or _REFUSED.get(key.partition(".")[0])
    if why is not None:
        raise UsageError(why.format(key=key))
