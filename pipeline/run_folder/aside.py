"""Folders moved aside beside where they lay, `NAME.DATE-TIME`, and taken back from there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import cannot_write


def moved_aside(folder: Path) -> Iterator[Path]:
    """What was moved aside from a folder, the latest first."""
    pattern = re.compile(re.escape(folder.name) + r"\.\d{8}-\d{6}(-\d+)?")
    beside = sorted(folder.parent.iterdir(), reverse=True) if folder.parent.is_dir() else []
    yield from (path for path in beside if pattern.fullmatch(path.name) and path.is_dir())


def move_aside(folder: Path) -> Path:
    """Move a folder aside; where it lies now. Raises UserError where that cannot be done."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = folder.with_name(f"{folder.name}.{stamp}")
    number = 1
    while target.exists():
        target = folder.with_name(f"{folder.name}.{stamp}-{number}")
        number += 1
    _rename(folder, target)
    return target


def take_back(aside: Path, folder: Path) -> None:
    """Put a folder back where it lay; what lies there now is moved aside. Raises UserError."""
    if folder.exists():
        move_aside(folder)
    _rename(aside, folder)


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        raise cannot_write(target, error) from error
