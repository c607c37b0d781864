"""How two states are compared: fields, their digest, files by content."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, cannot_read
from pipeline.plain_files import require_plain

# The fields of a manifest, perhaps an older program's, as they would be recorded today; the second
# argument is the fields of today they will be compared with.
Restate = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]

SHORT = 16  # characters of a digest where many are listed together
UNKNOWN = "?"  # content that is about to be made again from other inputs
UNSURE = "??"  # content that is about to be made again and may be unchanged
_SHOWN = 5


@dataclass(frozen=True)
class FileRecord:
    """A file as it was written: bytes, time of change [ns], SHA-256."""

    size: int
    mtime_ns: int
    sha256: str


def record_of(path: Path) -> FileRecord:
    """A file as it is. Raises UserError if it cannot be read."""
    digest = file_digest(path)
    found = os.stat(path)
    return FileRecord(found.st_size, found.st_mtime_ns, digest)


def is_as_recorded(path: Path, record: FileRecord, *, verify: bool = False) -> bool:
    """Whether a file is what was recorded: by size and time, and by its bytes where the time differs.

    `verify` compares the bytes always. Raises UserError if it exists and cannot be read.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise cannot_read(path, error) from error
    if not stat.S_ISREG(found.st_mode) or found.st_size != record.size:
        return False
    if found.st_mtime_ns == record.mtime_ns and not verify:
        return True
    return file_digest(path) == record.sha256


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields converted through JSON, so that tuples, paths and numbers compare as they will after reading back."""
    plain: dict[str, Any] = json.loads(json.dumps(fields, sort_keys=True, default=str))
    return plain


def field_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], restate: Restate | None = None
) -> list[str]:
    """A line for each field that differs once `old` is restated as it would be recorded today.

    For a mapping by video, the videos that differ are named.
    """
    lines = []
    if restate is not None:
        old = restate(old, new)
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if now == UNKNOWN:
            lines.append(f"{key.partition('.')[2] or key} made again")
        elif isinstance(now, dict) or isinstance(before, dict):
            old_ones, new_ones = (
                value if isinstance(value, dict) else {} for value in (before, now)
            )
            lines += _video_differences(key, old_ones, new_ones)
        elif key.startswith(("input.", "file.", "content.")):
            what = "changed" if key in old and key in new else "read" if key in new else "not read"
            lines.append(f"{key.partition('.')[2]} {what}")
        else:
            shown = (_as_written(before), _as_written(now))
            if shown[0] == shown[1]:
                shown = (str(before), str(now))
            lines.append(f"{key}: {shown[0]} -> {shown[1]}")
    return lines


def _as_written(value: object) -> str:
    """A value as people write it: 0.3, where a step of 0.1 came to 0.30000000000000004."""
    if isinstance(value, list):
        return f"[{', '.join(map(_as_written, value))}]"
    return str(float(f"{value:.12g}") if isinstance(value, float) else value)


def as_recorded(
    fields: Mapping[str, Any],
    recorded: Mapping[str, Any],
    mark: str,
    otherwise: str | None = None,
) -> dict[str, Any]:
    """Fields with what is marked (UNKNOWN, UNSURE) as it was recorded.

    A video that was not recorded gets `otherwise`, or is removed if that is None.
    """
    found: dict[str, Any] = {}
    for key, value in fields.items():
        before = recorded.get(key)
        if isinstance(value, dict):
            parts = before if isinstance(before, dict) else {}
            filled = {v: parts.get(v, otherwise) if d == mark else d for v, d in value.items()}
            found[key] = {video: digest for video, digest in filled.items() if digest is not None}
        else:
            found[key] = before if value == mark else value
    return found


def _video_differences(
    what: str, before: Mapping[str, object], now: Mapping[str, object]
) -> list[str]:
    again = [video for video, value in now.items() if value == UNKNOWN]
    known = {video: value for video, value in now.items() if value != UNKNOWN}
    groups = {
        "made again": again,
        "new": [video for video in known if video not in before],
        "gone": [video for video in before if video not in now],
        "changed": [v for v, value in known.items() if v in before and before[v] != value],
    }
    return [
        f"{what} {how}: {named(videos)}" for how, videos in groups.items() if videos
    ]  # fmt: skip


def named(videos: Iterable[str]) -> str:
    """The first few of some videos, sorted, and how many there are where that is more."""
    ids = sorted(videos)
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def fingerprint(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping of JSON values, independent of the order of its keys."""
    text = json.dumps(fields, sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path, largest: int | None = None) -> str:
    """SHA-256 of a file's bytes. Raises UserError if it cannot be read, or has more than `largest` bytes."""
    digest = hashlib.sha256()
    try:
        require_plain(path, largest)
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
