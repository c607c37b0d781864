"""What each member has made and what failed: a file of lines of its own, so that no two processes write to one file.

`.tada-work/journals/MEMBER.jsonl`, appended to; a line is a JSON object. A line cut off by a kill is ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import cannot_read
from pipeline.run_folder.joined.members import WORK, write_new

JOURNALS = "journals"
Line = dict[str, Any]


def journal_path(folder: Path, member: str) -> Path:
    """The journal of a member at work in a folder."""
    return folder / WORK / JOURNALS / f"{member}.jsonl"


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Append a line to a file, whole or not at all. Raises UserError if it cannot be written."""
    # On its own line even after a line cut off by a kill: empty lines are ignored.
    write_new(path, f"\n{json.dumps(line)}\n".encode(), os.O_APPEND)


def journal_lines(folder: Path) -> Iterator[Line]:
    """Everything that the members of a folder have written. Raises UserError if it cannot be read."""
    return Journals(folder).news()


class Journals:
    """The journals of a folder, read on from where they were read to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / WORK / JOURNALS
        self._read: dict[str, int] = {}

    def news(self) -> Iterator[Line]:
        """The lines since the last time; a member's seconds of work, and its id, are in each.

        Raises UserError if a journal cannot be read.
        """
        try:
            with os.scandir(self._folder) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(".jsonl"))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise cannot_read(self._folder, error) from error
        for name in names:
            for line in self._of(self._folder / name):
                yield {"member": name.removesuffix(".jsonl"), **line}

    def _of(self, path: Path) -> Iterator[Line]:
        start = self._read.get(path.name, 0)
        try:
            if path.stat().st_size <= start:
                return
            with path.open("rb") as stream:
                stream.seek(start)
                text = stream.read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise cannot_read(path, error) from error
        whole = text[: text.rfind(b"\n") + 1]  # the last one may not be complete yet
        self._read[path.name] = start + len(whole)
        for line in whole.split(b"\n"):
            try:
                value = json.loads(line) if line else None
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value
