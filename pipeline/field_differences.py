"""Whether a stage's fields are those its results were made with, and if not, what differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


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
