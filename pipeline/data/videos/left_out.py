"""The videos a stage leaves out, and why: skipped, missing, failed, without features.

The only place that counts them, lists them in `failures.json` and reports them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.data.names import skipped_ids
from pipeline.data.videos.failures import FAILURES, Failure, listed_failures, write_failures
from pipeline.errors import UserError
from pipeline.progress import say

Record = Callable[[str, Mapping[str, Any]], None]
NOT_THERE = "no such file"
NO_FEATURES = "no features"


class LeftOut:
    """The videos one stage leaves out; UserError if they are more than the user allowed.

    `allowed` counts videos that are missing or fail (`runtime.allow_failures`); those of the file `skip`
    (`runtime.skip`) are chosen by the user and do not count. With `at_once` one too many ends the
    stage where it fails, else when all were tried (`settle`). One of several processes `writes` the list,
    in `folder`, the stage's; without a folder there is none. `identities` says which file a video is. `skips`:
    whether the command has an option for `skip`.

    `reasons`: why, by video, of this run and of those remembered; `given_up`: those that are not to be
    read again in this run, because that hangs or kills the process; `parts`: how many clips of damaged videos that
    are taken in part were left out, by video; `record` keeps a failure where processes share the stage, and the
    list is written once all were tried.
    """

    def __init__(
        self,
        stage: str,
        folder: Path | None = None,
        *,
        allowed: int = 0,
        skip: Path | None = None,
        at_once: bool = False,
        writes: bool = True,
        identities: Mapping[str, str] | None = None,
        skips: bool = True,
    ) -> None:
        self._identities, self._skips = identities or {}, skips
        self.stage, self.folder, self.allowed = stage, folder, allowed
        self.skipped: list[str] = []
        self.reasons: dict[str, str] = {}
        self.given_up: dict[str, str] = {}
        self.parts: dict[str, int] = {}
        self._skip, self._at_once, self._writes = skip, at_once, writes
        self._before = {} if folder is None else listed_failures(folder)
        self._tried: set[str] = set()
        self._refused: set[str] = set()
        self.record: Record | None = None

    @property
    def names(self) -> list[str]:
        """All of them, sorted; what a manifest records as `left_out`."""
        return sorted({*self.skipped, *self.reasons})

    def remember(self) -> None:
        """Go on without the videos that failed before the work was stopped, and what was made without them.

        Call it once skipped and missing videos are counted.
        """
        for video, failure in self._before.items():
            known = video in self.reasons or video in self.skipped
            if failure.left_out and failure.reason != NOT_THERE and not known:
                self.reasons[video] = failure.reason

    def without_skipped(self, videos: Iterable[str]) -> list[str]:
        """The videos to use, each once, in their order; skipped ones are counted and reported."""
        skip = skipped_ids(self._skip)
        videos = list(dict.fromkeys(videos))
        left = [video for video in videos if video in skip]
        new = [video for video in left if video not in self.skipped]
        if new:
            self.skipped += new
            say(f"{self.stage}: {len(new)} videos of {self._skip} are left out: {shown(new)}")
        return [video for video in videos if video not in skip]

    def not_there(
        self, missing: Sequence[str], total: int, place: Path | str, hint: str = ""
    ) -> None:
        """Count videos without a file, `missing` of `total`. Raises UserError if they are too many."""
        if len(missing) > self.allowed:
            raise UserError(
                f"{place}: {len(missing)} of {total} videos are missing ({shown(missing)}); {hint}add "
                f"them, {how_to_go_on(len(missing))}"
            )
        self._tried |= set(missing)
        self.reasons |= dict.fromkeys(missing, NOT_THERE)

    def without_features(self, missing: Sequence[str], place: Path, known: Iterable[str]) -> None:
        """Count videos without features; `known` are those whose extraction failed.

        Raises UserError if others are among them, or they are too many.
        """
        if not missing:
            return
        if set(missing) - set(known) or len(missing) > self.allowed:
            raise UserError(
                f"{place}: no features of {len(missing)} videos ({shown(missing)}); run `tada-loc extract`, "
                + how_to_go_on(len(missing))
            )
        if set(missing) - self.reasons.keys():
            say(
                f"{len(missing)} videos have no features and count as having no detections: "
                f"{shown(missing)}"
            )
        self.reasons |= dict.fromkeys(missing, NO_FEATURES)

    def failed(self, video: str, reason: str) -> None:
        """Count a video once, say it, and list it now: the run may never come to its end."""
        if video in self._tried:
            return
        self._tried.add(video)
        self.reasons[video] = reason
        if self._at_once:
            self._require_few(video)
        word = "is left out" if self._at_once else "failed"
        say(f"{self.stage}: video {video} {word}: {reason}", anyone=True)
        if self.record is None:
            self.note()
        else:
            self.record(video, asdict(self._failure(video, reason)))

    def known(self, failures: Mapping[str, Failure]) -> None:
        """Go on without videos that others have tried, and listed."""
        self._before |= failures
        self.reasons |= {video: failure.reason for video, failure in failures.items()}

    def take(self, reasons: Mapping[str, str]) -> None:
        """Count videos whose faults were found, and said, all at once."""
        self._tried |= reasons.keys()
        self.reasons |= reasons

    def damaged(self, video: str, reason: str) -> None:
        """Count a clip in the damaged part of a video that is taken for what it holds; say it once per video."""
        if video not in self.parts:
            line = f"video {video} is used in part; clips in damaged spans are left out: {reason}"
            say(f"{self.stage}: {line}", anyone=True)
        self.parts[video] = self.parts.get(video, 0) + 1

    def merge_parts(self, others: Sequence[Mapping[str, int]]) -> None:
        """Take the counts of all processes (their `parts`) for one's own."""
        names = sorted({video for parts in others for video in parts})
        self.parts = {video: sum(parts.get(video, 0) for parts in others) for video in names}

    def say_parts(self) -> None:
        """Say how many clips of damaged videos were left out."""
        if self.parts:
            count = sum(self.parts.values())
            say(
                f"{self.stage}: {count} clips of {len(self.parts)} damaged videos were left out: "
                f"{shown(sorted(self.parts))}"
            )

    def parts_summary(self) -> dict[str, Any]:
        """What a manifest records of them: clips left out, by video; nothing where there are none."""
        return {"clips_left_out": dict(sorted(self.parts.items()))} if self.parts else {}

    def give_up(self, video: str, reason: str) -> None:
        """Count a video, and have it read no more."""
        self.given_up[video] = reason
        self.failed(video, reason)

    def note(self) -> None:
        """List what is known so far, and what runs before this one listed."""
        self._list(self._before)

    def merge(self, others: Sequence[Mapping[str, str]]) -> None:
        """Take in what other processes could not read (their `reasons`)."""
        for reasons in others:
            self._tried |= reasons.keys() - self.reasons.keys()
            self.reasons |= reasons
        if self._at_once and self.reasons:
            self._require_few(next(reversed(self.reasons)))

    def settle(self) -> None:
        """List what the stage went without, and nothing else. Raises UserError if it is too much."""
        self._list({})
        own = self._own()
        if len(own) > self.allowed:
            some = "; ".join(f"{video}: {own[video]}" for video in sorted(own)[:3])
            raise UserError(
                f"{self.stage}: {len(own)} videos failed ({some}){self._where()}; fix them and run "
                f"again, {how_to_go_on(len(own), skips=self._skips)}"
            )

    def summary(self) -> dict[str, Any]:
        """What a manifest records."""
        return {"left_out": self.names, "skipped": len(self.skipped), **self.parts_summary()}

    def _where(self) -> str:
        return "" if self.folder is None else f", all listed in {self.folder / FAILURES}"

    def _own(self) -> dict[str, str]:
        """What is not another stage's failure, counted and listed there."""
        return {video: why for video, why in self.reasons.items() if why != NO_FEATURES}

    def _require_few(self, video: str) -> None:
        if len(self.reasons) > self.allowed:
            self._refused.add(video)
            self.note()
            raise UserError(
                f"video {video}: {self.reasons[video]}; fix it, {how_to_go_on(len(self.reasons))}"
            )

    def _list(self, before: Mapping[str, Failure]) -> None:
        """Write `failures.json`; each failure counts on from the runs before."""
        if not self._writes or self.folder is None:
            return
        rows = dict(before)
        for video, reason in self._own().items():
            known = self._before.get(video)
            untried = video not in self._tried and known is not None
            rows[video] = known if untried and known is not None else self._failure(video, reason)
        write_failures(self.folder, self.stage, rows)

    def _failure(self, video: str, reason: str) -> Failure:
        """A failure of this run, counted on from the runs before."""
        known = self._before.get(video)
        attempts = 1 + (known.attempts if known is not None else 0)
        of = self._identities.get(video, "")
        return Failure(reason, attempts, left_out=video not in self._refused, of=of)


def how_to_go_on(count: int, *, skips: bool = True) -> str:
    """What a user can do about videos that fail; not every command `skips` those of a file."""
    skip = " or --skip FILE (their ids, one per line)" if skips else ""
    return f"or continue without them with --allow-failures {count}{skip}"


def shown(videos: Sequence[str]) -> str:
    """The first few of some videos, as messages name them."""
    return ", ".join(videos[:5]) + (", ..." if len(videos) > 5 else "")
