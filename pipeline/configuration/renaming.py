"""Renamed keys: the old names are still read."""

from __future__ import annotations

from typing import Any

from pipeline.configuration.keys import new_names
from pipeline.errors import UsageError


def rename_keys(data: dict[str, Any]) -> dict[str, str]:
    """Rename keys of a file that have an old name; returns which.

    Raises UsageError if both names are there.
    """
    found = {}
    for old, new in new_names().items():
        *sections, name = old.split(".")
        values: Any = data
        for section in sections:
            values = values.get(section) if isinstance(values, dict) else None
        if isinstance(values, dict) and name in values:
            last = new.rpartition(".")[2]
            _refuse_both(old, new, last in values)
            values[last] = values.pop(name)
            found[old] = new
    return found


def rename_overrides(overrides: dict[str, Any]) -> dict[str, str]:
    """As `rename_keys`, of a mapping by dotted keys. Raises UsageError if both names are there."""
    found = {old: new for old, new in new_names().items() if old in overrides}
    for old, new in found.items():
        _refuse_both(old, new, new in overrides)
        overrides[new] = overrides.pop(old)
    return found


def _refuse_both(old: str, new: str, both: bool) -> None:
    if both:
        raise UsageError(
            f"{old} and {new} are both given: {old} is the old name of {new}; keep {new}"
        )
