"""The videos a training or a test goes without because they cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.data.failures import how_to_go_on
from pipeline.errors import UserError
from pipeline.progress import say


class Unreadable:
    """The videos that could not be read, with why; UserError once there are more than `allowed`.

    `reasons`: also those of runs before; `tried`: those of this run; `given_up`: those that are not to be
    read again in this run, because that hangs or kills the process; `refused`: the one too many.
    """

    def __init__(self, allowed: int, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        self.tried: set[str] = set()
        self.given_up: dict[str, str] = {}
        self.refused: set[str] = set()
        self._allowed = allowed

    def give_up(self, video: str, reason: str) -> None:
        """Count a video, and have it read no more."""
        self.given_up[video] = reason
        self.note(video, reason)

    def note(self, video: str, reason: str) -> None:
        """Count a video once; its clips are left out of their batches."""
        if video in self.tried:
            return
        self.tried.add(video)
        self.reasons[video] = reason
        self._check(video, reason)
        say(f"finetune: video {video} is left out: {reason}", anyone=True)

    def merge(self, others: Sequence[Mapping[str, str]]) -> None:
        """Take in what other processes could not read."""
        for reasons in others:
            self.tried |= reasons.keys() - self.reasons.keys()
            self.reasons |= reasons
        if self.reasons:
            self._check(*next(reversed(self.reasons.items())))

    def _check(self, video: str, reason: str) -> None:
        if len(self.reasons) > self._allowed:
            self.refused.add(video)
            raise UserError(f"video {video}: {reason}; mend it, {how_to_go_on(len(self.reasons))}")
