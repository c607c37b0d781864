"""What is known of a published network before it is built: its architecture, and what it wants to be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from feature_extraction.published.names import PublishedError

_LONGEST = 100_000  # characters of an architecture as JSON; VideoMAE's has 600
Colours = tuple[float, float, float]


@dataclass(frozen=True)
class Description:
    """A published network as its publisher describes it; it holds no path.

    `name` is that of the configuration without a folder's path. `asked` and `revision`: which revision of a Hub's
    model was asked for, and the commit it was. `frames`: how many a clip has, None for any number that is a
    multiple of `every` and at least `least`. `short_side` and `crop` [pixels]: frames are brought to this shorter side, and their
    central square of `crop` is cut out; None if the network takes frames of any size. `mean` and `std` of
    red, green and blue, in shares of the brightest; None if the publisher says nothing. `architecture`:
    what transformers builds the network from, empty for other sources.
    """

    name: str
    asked: str | None = None
    revision: str | None = None
    frames: int | None = None
    every: int = 1
    short_side: int | None = None
    crop: int | None = None
    mean: Colours | None = None
    std: Colours | None = None
    architecture: Mapping[str, Any] = field(default_factory=dict)
    least: int = 1

    def to_json(self) -> dict[str, Any]:
        """The description as JSON values; `least` only where it says something."""
        values = asdict(self)
        if self.least == 1:
            del values["least"]
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def from_json(values: Mapping[str, Any]) -> Description:
    """The description that `to_json` gave. Raises PublishedError naming what it is not."""
    known = {part.name for part in fields(Description)}
    strangers = sorted(set(map(str, values)) - known)
    if strangers or not isinstance(values.get("name"), str):
        raise PublishedError(f"has no key {strangers[0]!r}" if strangers else "it lacks a name")
    for key in ("asked", "revision"):
        if not isinstance(values.get(key), str | None):
            raise PublishedError(f"{key} is not text: {values[key]!r}")
    for key in ("frames", "every", "least", "short_side", "crop"):
        value = values.get(key, 1)
        if not (_is_count(value) or (value is None and key not in ("every", "least"))):
            raise PublishedError(f"{key} is not a number from 1 to 65536: {value!r}")
    colours = {key: _colours(key, values.get(key)) for key in ("mean", "std")}
    architecture = values.get("architecture", {})
    if not isinstance(architecture, Mapping):
        raise PublishedError("its architecture is not a mapping")
    if len(json.dumps(architecture, default=str)) > _LONGEST:
        raise PublishedError(f"its architecture has more than {_LONGEST} characters")
    return Description(**{**values, **colours, "architecture": dict(architecture)})


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 65_536


def _colours(key: str, value: object) -> Colours | None:
    if value is None:
        return None
    least = 0.0 if key == "std" else -1e-9
    if isinstance(value, list | tuple) and len(value) == 3:
        numbers = [float(v) for v in value if isinstance(v, int | float) and least < v < 1e6]
        if len(numbers) == 3:
            return (numbers[0], numbers[1], numbers[2])
    raise PublishedError(f"{key} is not three numbers (red, green, blue): {value!r}")
