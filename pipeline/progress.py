"""What long work shows: a bar with rate and time left on a terminal, an occasional line elsewhere."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from collections.abc import Iterator
from types import TracebackType

from tqdm import tqdm

from pipeline.printing import printable
from pipeline.ranks import ranks

LINE_SECONDS = 30.0
NOTEBOOK_SECONDS = 2.0  # work that is already done shows no bar in a notebook


def say(text: str, *, anyone: bool = False) -> None:
    """A line on stderr, above a bar if one is shown; of several processes, only the main one writes.

    `anyone` is for what only this process knows. What is not printable is escaped, line ends too.
    """
    if not (anyone or ranks().is_main):
        return
    text = printable(text)
    with _shown():
        if sys.stderr.isatty():
            tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _shown() -> Iterator[None]:
    """A closed terminal is no reason to stop work that does not need one."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise


def _in_notebook() -> bool:
    """Whether a notebook shows what is written: no terminal, and a bar can be drawn."""
    return "ipykernel" in sys.modules


class Progress:
    """Progress of `total` pieces of work; `start` of them were done before."""

    def __init__(self, total: int, title: str, *, unit: str, start: int = 0) -> None:
        self._total, self._title, self._unit = total, title, unit
        self._start = self._done = start
        self._bar = None
        if (sys.stderr.isatty() or _in_notebook()) and ranks().is_main:
            # the output of a cell stays: a short-lived bar is not worth the empty line
            wait = NOTEBOOK_SECONDS if _in_notebook() else 0.0
            self._bar = tqdm(
                total=total,
                initial=start,
                desc=printable(title),
                unit=unit,
                leave=False,
                delay=wait,
            )

    @property
    def done(self) -> int:
        """Pieces done so far."""
        return self._done

    def __enter__(self) -> Progress:
        self._began = self._said = time.monotonic()
        return self

    def update(self, count: int = 1, **figures: float) -> None:
        """Add pieces that were done; figures are shown beside the rate."""
        self._done += count
        if self._bar is not None:
            with _shown():
                self._bar.set_postfix({k: f"{v:.3g}" for k, v in figures.items()}, refresh=False)
                self._bar.update(count)
        elif time.monotonic() - self._said > LINE_SECONDS:
            self._said = time.monotonic()
            say(self._line(figures))

    def reach(self, done: int) -> None:
        """This many pieces are done since it began, by any process."""
        self.update(self._start + done - self._done)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            with _shown():
                self._bar.close()

    def _line(self, figures: dict[str, float]) -> str:
        rate = (self._done - self._start) / (time.monotonic() - self._began)
        left = (self._total - self._done) / rate if rate else float("inf")
        extra = "".join(f", {k} {v:.3g}" for k, v in figures.items())
        return (
            f"{self._title}: {self._done}/{self._total} {self._unit}s, {rate:.3g}/s, "
            f"{left:.0f} s left{extra}"
        )
