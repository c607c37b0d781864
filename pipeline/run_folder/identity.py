"""The fields a stage's results depend on: made of settings, and compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

# The fields of a manifest, perhaps an older program's, as they would be recorded today; the second
# argument is the fields of today they will be compared with.
Restate = Callable[[Mapping[str, Any], Collection[str]], Mapping[str, Any]]


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields through JSON once, so that tuples, paths and numbers compare as they will after reading back."""
    plain: dict[str, Any] = json.loads(json.dumps(fields, sort_keys=True, default=str))
    return plain


def field_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], restate: Restate | None = None
) -> list[str]:
    """A line for each field that differs once `old` is restated as it would be recorded today."""
    lines = []
    if restate is not None:
        old = restate(old, new.keys())
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if key.startswith(("input.", "file.")):
            lines.append(f"{key.partition('.')[2]} changed")
        else:
            lines.append(f"{key}: {before} -> {now}")
    return lines
