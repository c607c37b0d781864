"""What tells one state of things from another: fields compared, their digest, the digest of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.plain_files import require_plain

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


def fingerprint(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping of JSON values, independent of the order of its keys."""
    text = json.dumps(fields, sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path, largest: int | None = None) -> str:
    """SHA-256 of a file's bytes. Raises UserError where it cannot be read, or has more than `largest` bytes."""
    digest = hashlib.sha256()
    try:
        require_plain(path, largest)
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
