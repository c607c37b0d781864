"""The fields a stage's results depend on: made of settings, and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def flatten(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A settings section as dotted fields, nested mappings included."""
    fields: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            fields |= flatten(f"{section}.{key}", value)
        else:
            fields[f"{section}.{key}"] = value
    return fields


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields through JSON once, so that tuples, paths and numbers compare as they will after reading back."""
    return json.loads(json.dumps(fields, sort_keys=True, default=str))


def field_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> list[str]:
    """A line for each field that differs; one that `old` lacks counts as its value in `defaults`."""
    lines = []
    old = {key: value for key, value in (defaults or {}).items() if key in new} | dict(old)
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if key.startswith(("input.", "file.")):
            lines.append(f"{key.partition('.')[2]} changed")
        else:
            lines.append(f"{key}: {before} -> {now}")
    return lines
