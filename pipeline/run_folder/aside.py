"""Folders moved aside, beside where they were, `NAME.DATE-TIME`, and taken back from there."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import cannot_write
from pipeline.run_folder.files import sync_folder
from pipeline.run_folder.manifests import MANIFEST


def moved_aside(folder: Path) -> Iterator[Path]:
    """The folders moved aside from a folder, the latest first."""
    pattern = re.compile(re.escape(folder.name) + r"\.\d{8}-\d{6}(-\d+)?")
    beside = sorted(folder.parent.iterdir(), reverse=True) if folder.parent.is_dir() else []
    yield from (path for path in beside if pattern.fullmatch(path.name) and path.is_dir())


def move_aside(folder: Path) -> Path:
    """Move a folder aside; where it is now. Folders of other stages in it stay. Raises UserError."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = folder.with_name(f"{folder.name}.{stamp}")
    number = 1
    while target.exists():
        target = folder.with_name(f"{folder.name}.{stamp}-{number}")
        number += 1
    _rename(folder, target)
    _move_stages(target, folder)
    return target


def take_back(aside: Path, folder: Path) -> None:
    """Put a folder back where it was; what is there now is moved aside, other stages' folders stay.

    Raises UserError if that cannot be done.
    """
    if folder.exists():
        target = move_aside(folder)
        with contextlib.suppress(OSError):  # a folder that is not empty stays
            target.rmdir()
    if folder.exists():
        _move_stages(folder, aside)
        folder.rmdir()
    _rename(aside, folder)


def _move_stages(source: Path, target: Path) -> None:
    """Move the folders in `source` that are stages of their own into `target`."""
    for path in list(source.iterdir()):
        if (path / MANIFEST).is_file() and not (target / path.name).exists():
            target.mkdir(exist_ok=True)
            _rename(path, target / path.name)


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from error
