"""`videos.jsonl`: what each video's output was made by and from, and its file as written.

A line per video, appended when its output is in place; of several lines the last counts. A line that is
damaged or was cut off by a kill is ignored: its video is checked again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import cannot_read
from pipeline.plain_files import require_plain
from pipeline.run_folder.files import write_text
from pipeline.run_folder.identity import FileRecord, is_as_recorded
from pipeline.run_folder.joined.journals import Journals, append_line, journal_lines
from pipeline.run_folder.joined.members import WORK

LEDGER = "videos.jsonl"


class Made(BaseModel):
    """A video's output: what it was made `by` (settings and weights, a digest) and `of` (its inputs).

    `file` is the output as it was written, `content` a digest of what later stages read of it, `notes`
    other findings.
    """

    model_config = ConfigDict(frozen=True)

    video: str
    by: str
    of: str
    file: FileRecord
    content: str
    notes: dict[str, str] = {}


class Ledger:
    """The lines of a stage's folder, by video, with those of processes at work there; read once, on first use.

    A process that works together with others appends to `journal`.
    """

    def __init__(self, folder: Path, journal: Path | None = None) -> None:
        self.folder = folder
        self._journal = journal
        self._path, self._journals = folder / LEDGER, Journals(folder)
        self._lines: dict[str, Made] | None = None

    @property
    def lines(self) -> dict[str, Made]:
        """The last line of each video. Raises UserError if the file cannot be read."""
        if self._lines is None:
            self._lines = {line.video: line for line in self._read()}
            self.look()
        return self._lines

    def look(self) -> None:
        """Read what processes at work have recorded since the last time. Raises UserError if it cannot be read."""
        news = (made_of(line) for line in self._journals.news())
        self.lines.update({made.video: made for made in news if made is not None})

    def get(self, video: str) -> Made | None:
        """What is recorded about a video."""
        return self.lines.get(video)

    def note(self, made: Made) -> None:
        """Record that a video's output is in place. Raises UserError if it cannot be written."""
        self.lines[made.video] = made
        append_line(self._journal or self._path, plain(made))

    def forget(self, *videos: str) -> None:
        """Record that there is no output of these videos any more."""
        if self.lines.keys() & set(videos):
            for video in videos:
                self.lines.pop(video, None)
            self.write()

    def write(self) -> None:
        """Rewrite the file, a line per video. Raises UserError if it cannot be written."""
        rows = (json.dumps(plain(self.lines[video])) + "\n" for video in sorted(self.lines))
        write_text(self._path, "".join(rows))

    def _read(self) -> Iterator[Made]:
        try:
            require_plain(self._path)
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise cannot_read(self._path, error) from error
        for line in text.split("\n"):
            try:
                yield Made.model_validate_json(line)
            except ValidationError:
                continue


def fold(folder: Path) -> None:
    """Merge what processes at work have recorded into the one file and remove their journals. Raises UserError."""
    if any(True for _ in journal_lines(folder)):
        Ledger(folder).write()
    shutil.rmtree(folder / WORK, ignore_errors=True)


def made_of(line: Mapping[str, object]) -> Made | None:
    """A line of a journal; None if it is none of something made."""
    try:
        return Made.model_validate(line)
    except ValidationError:
        return None


def intact(path: Path, made: Made, *, verify: bool = False) -> bool:
    """Whether a video's output is what was written. Raises UserError if it cannot be read."""
    return is_as_recorded(path, made.file, verify=verify)


def is_current(
    path: Path, made: Made | None, by: str, of: str | None, *, verify: bool = False
) -> bool:
    """Whether a video's output is recorded as made `by` and `of` this, and is what was written."""
    known = made is not None and (made.by, made.of) == (by, of)
    return known and made is not None and intact(path, made, verify=verify)


def plain(made: Made) -> Mapping[str, object]:
    """A line as JSON values."""
    return made.model_dump() | {"file": asdict(made.file)}
