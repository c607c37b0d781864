"""How work that many processes share begins and ends: one process at a time opens it, joins it, or finishes it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from pipeline.progress import say
from pipeline.run_folder.joined.sharing import Work, require_same

_ALONE = "opening or finishing"  # what one process does at a time


@contextlib.contextmanager
def opening(work: Work) -> Iterator[None]:
    """Inside, no other process opens or finishes the work; sign (`Member.sign`) before leaving it."""
    with work.section(_ALONE):
        work.member.come()  # again: the process that finished earlier work may have removed its file
        yield


def joins(work: Work, title: str, by: str) -> bool:
    """Whether others are at work, which is reported; False: this process opens it.

    Raises UserError if they work by other settings or inputs.
    """
    others = work.others()
    if others:
        require_same(others, by, work.folder)
        many = f"{len(others)} that {'is' if len(others) == 1 else 'are'} at work"
        say(f"{title}: joins {many} ({others[0].name})")
    return bool(others)


@contextlib.contextmanager
def closing(work: Work, keep: Callable[[], None]) -> Iterator[bool]:
    """Whether this process is the one that finishes the work, inside; False where another has.

    Before that, `keep` puts what all have recorded into files of its own: at the end their records are removed.
    """
    with work.section(_ALONE):
        if work.member.look():
            yield False
            return
        work.look()
        keep()
        try:
            yield True
        finally:
            work.remove()
