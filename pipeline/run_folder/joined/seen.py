"""Which processes are at work in a stage's folder, as seen by another process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.run_folder.identity import named
from pipeline.run_folder.joined.claims import holders
from pipeline.run_folder.joined.journals import journal_lines
from pipeline.run_folder.joined.members import STALE_SECONDS, Note, members, parts_of
from pipeline.run_folder.temporary import is_gone, this_host


@dataclass(frozen=True)
class Worker:
    """A process at work: what it says of itself, how many videos it has made, and those it has claimed.

    `gone`: it has ended, or was not seen for long.
    """

    note: Note
    made: int
    holds: tuple[str, ...]
    gone: bool

    @property
    def told(self) -> str:
        """A line for users."""
        share = f", shard {self.note.shard}" if self.note.shard else ""
        now = f", makes {named(self.holds)} now" if self.holds and not self.gone else ""
        held = f", held {named(self.holds)}" if self.holds and self.gone else ""
        gone = " has ended" if self.gone else ""
        return f"{self.note.name}{share}{gone}: {self.made} videos made{now}{held}"

    def as_json(self) -> Mapping[str, object]:
        """The same as JSON values."""
        said = self.note.model_dump(include={"host", "pid", "since", "shard"})
        return {**said, "made": self.made, "makes": list(self.holds), "gone": self.gone}


def workers_in(folder: Path) -> list[Worker]:
    """The processes at work in a stage's folder, including those that have ended. Raises UserError if a journal cannot be read."""
    found = [entry for entry in members(folder) if entry[1].by]
    if not found:
        return []
    made = Counter(str(line["member"]) for line in journal_lines(folder) if "video" in line)
    holds: dict[str, list[str]] = {}
    for name, member in holders(folder):
        if not name.startswith("/"):  # a section, no video
            holds.setdefault(member, []).append(name)
    # Compared by the file server's clock if there are several; by this machine's if there is only one.
    now = max(renewed for _, _, renewed in found) if len(found) > 1 else time.time()
    seen = []
    for member, note, renewed in found:
        host, pid = parts_of(member)
        ended = host == this_host() and is_gone(pid, renewed)
        gone = ended or now - renewed > STALE_SECONDS
        seen.append(Worker(note, made[member], tuple(sorted(holds.get(member, ()))), gone))
    return seen
