"""The videos that are still to be made, handed out one at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator

from pipeline.run_folder.joined.claims import Claim
from pipeline.run_folder.joined.sharing import ASK_SECONDS, Work

_MOST_SECONDS = 5.0  # between checks of what others hold: a file server has more to do


class Todo:
    """The videos of a member's share, in its preferred order.

    `over` where the work is no longer this member's (see `Member`).
    """

    def __init__(self, work: Work, videos: Iterable[str]) -> None:
        self._work = work
        self._waiting, self._held = deque(videos), deque[str]()
        work.look()
        self._before = work.done - sum(map(work.is_done, self._waiting))
        self._pause, self._again = ASK_SECONDS, 0.0

    @property
    def over(self) -> bool:
        """Whether others have taken this member for dead, or ended the work."""
        return self._work.member.over

    @property
    def done(self) -> int:
        """How many videos all have made or failed at since this began."""
        return self._work.done - self._before

    @property
    def left(self) -> bool:
        """Whether any is not done, or in the making here."""
        return bool(self._waiting or self._held or self._work.claims.held)

    def claims(self) -> Iterator[Claim | None]:
        """Claimed videos until all are done by any process; None if none is free right now: ask again.

        The caller makes the video and then releases its claim, or gives it `back`.
        """
        while not self.over and self.left:
            yield self.free()

    def each(self) -> Iterator[Claim]:
        """Claimed videos until all are done; waits while others hold what is left. Release each before the next."""
        for claim in self.claims():
            if claim is None:
                self.wait()
            else:
                yield claim

    def free_ones(self) -> Iterator[Claim]:
        """Claimed videos until none is free just now, which is no end where others hold some."""
        while (claim := self.free()) is not None:
            yield claim

    def free(self) -> Claim | None:
        """A claimed video; None if none is free just now."""
        if not self._waiting:
            self._look_again()
        while self._waiting and not self.over:
            video = self._waiting.popleft()
            claim = None if self._work.is_done(video) else self._work.claim(video)
            if claim is not None:
                self._pause = ASK_SECONDS
                return claim
            if not self._work.is_done(video):
                self._held.append(video)
        return None

    def wait(self) -> None:
        """Wait a moment for what others hold."""
        time.sleep(ASK_SECONDS)

    def leave(self, videos: Collection[str]) -> None:
        """Skip these."""
        self._waiting = deque(video for video in self._waiting if video not in videos)

    def back(self, video: str) -> None:
        """It was not made because its claim was taken over: it is checked again."""
        self._held.append(video)

    def _look_again(self) -> None:
        if not self._held or time.monotonic() < self._again:
            return
        self._work.look()
        self._work.member.look()
        self._waiting.extend(video for video in self._held if not self._work.is_done(video))
        self._held.clear()
        self._again = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _MOST_SECONDS)
