"""Which frame answers which asked time, and which times do not decode; worked out on times alone."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count

TIME_EPSILON = 1e-6  # seconds; times closer than this are the same time
MEMORY = 2048  # packet times kept at least: those looked ahead, and more than get reordered
LONGEST_SECONDS = 3600.0  # a frame said to be shown for longer than this is a fault of the file


class UnplannableError(Exception):
    """Packet times do not say which frames come when; decode everything and look."""


class LateSeekError(Exception):
    """A seek landed after the first wanted frame; start further ahead of it."""


class AskedTimes:
    """Ascending asked times as (index, seconds), drawn as needed from what may be endless."""

    def __init__(self, times: Iterable[tuple[int, float]]) -> None:
        self._source = iter(times)
        self._times: list[float] = []
        self._indices: list[int] = []
        self._newest = -math.inf
        self._ended = False

    def take(self, low: float, high: float) -> list[int]:
        """Remove the times in (low, high] and give their indices, ascending."""
        while not self._ended and self._newest <= high:
            self._draw()
        first, stop = bisect_right(self._times, low), bisect_right(self._times, high)
        taken = self._indices[first:stop]
        del self._times[first:stop], self._indices[first:stop]
        return taken

    @property
    def done(self) -> bool:
        """Whether every time has been taken."""
        if not self._times and not self._ended:
            self._draw()
        return not self._times

    def begins_before(self, time: float) -> bool:
        """Whether a time not yet taken lies before `time`."""
        return not self.done and self._times[0] < time - TIME_EPSILON

    def _draw(self) -> None:
        index, time = next(self._source, (None, math.inf))
        if index is None:
            self._ended = True
            return
        if not time >= self._newest:
            raise ValueError(f"requested times must ascend: {time} s comes after {self._newest} s")
        self._newest = time
        self._times.append(time)
        self._indices.append(index)


class Remembered:
    """An iterator's (index, value) pairs that can be drawn again as far as not yet forgotten."""

    def __init__(self, values: Iterable[float]) -> None:
        self._rest = enumerate(values)
        self._drawn: deque[tuple[int, float]] = deque()

    def forget(self, index: int) -> None:
        """Pairs up to `index` will not be asked for again."""
        while self._drawn and self._drawn[0][0] <= index:
            self._drawn.popleft()

    def again(self) -> Iterator[tuple[int, float]]:
        """Give every pair not forgotten, those drawn before first."""
        yield from list(self._drawn)
        for pair in self._rest:
            self._drawn.append(pair)
            yield pair


def grid_times(fps: float | None) -> Iterator[tuple[int, float]]:
    """Give (k, k / fps) without end, or nothing where `fps` is None."""
    return ((k, k / fps) for k in count()) if fps else iter(())


def boundary(earlier: float, later: float) -> float:
    """Up to which time the earlier of two frames is the nearest; a tie goes to it."""
    return (earlier + later) / 2 + TIME_EPSILON


def last_grid_time(end: float, fps: float) -> float:
    """The largest k / fps before `end` seconds."""
    return max(0, math.floor((end - TIME_EPSILON) * fps)) / fps


class FramePlan:
    """Assigns asked times to frames from packet times, before anything is decoded.

    Feed every packet's time with `add` some way ahead of asking `wanted` for it, in decode order;
    call `close` when no packet is left. `first` and times are in ticks of `tick` seconds; asked
    times count from `first`. `from_start` says whether the packets begin where the video does,
    `clamp` whether times after the end belong to the last frame or to none.
    """

    def __init__(
        self, asked: AskedTimes, first: int, tick: float, *, from_start: bool, clamp: bool
    ) -> None:
        self._asked = asked
        self._first = first
        self._tick = tick
        self._from_start = from_start
        self._clamp = clamp
        self._known: list[int] = []  # ascending
        self._undecided: deque[int] = deque()  # in decode order
        self._sealed = first - 1  # no packet may turn up at or before this any more
        self._last_duration = 0
        self._final: int | None = None
        self.end: float | None = None  # seconds, once closed
        self.overrun = False  # whether the last frame was given for a time after the end

    def seconds(self, ticks: int) -> float:
        """Seconds from the first frame."""
        return (ticks - self._first) * self._tick

    def add(self, ticks: int | None, duration: int | None) -> None:
        """Note a packet's time and duration (0 where unknown). Raises UnplannableError."""
        if ticks is None:
            raise UnplannableError("a packet without a time")
        if ticks < self._first:
            return  # never presented
        place = bisect_left(self._known, ticks)
        if ticks <= self._sealed or self._known[place : place + 1] == [ticks]:
            raise UnplannableError("packet times out of order or doubled")
        if place == len(self._known):
            self._last_duration = duration or 0
        insort(self._known, ticks)
        self._undecided.append(ticks)
        if len(self._known) > 2 * MEMORY:
            del self._known[:MEMORY]

    def close(self, fallback_duration: float, final_fps: float | None) -> int | None:
        """No packet is left: fix the end; give the ticks of the last frame on the final grid."""
        if not self._known:
            raise UnplannableError("no packet with a time")
        last = self._known[-1]
        gap = self._known[-1] - self._known[-2] if len(self._known) > 1 else 0
        duration = self._last_duration * self._tick
        if not 0 < duration <= LONGEST_SECONDS:
            duration = gap * self._tick or fallback_duration
        self.end = self.seconds(last) + duration
        if final_fps is not None:
            time = last_grid_time(self.end, final_fps)
            place = bisect_left(self._known, self._first + time / self._tick)
            place = min(place, len(self._known) - 1)
            if place and time <= boundary(*map(self.seconds, self._known[place - 1 : place + 1])):
                place -= 1
            self._final = self._known[place]
        return self._final

    def check_shown(self, ticks: int | None) -> None:
        """A frame was shown: raise UnplannableError where packets shown before it are to come."""
        if ticks is None or min(self._undecided, default=ticks) < ticks:
            raise UnplannableError("frames come in another order than the packets say")

    def wanted(self, ticks: int) -> tuple[list[int], bool]:
        """Give the indices of the asked times this frame answers, and whether it must come out.

        The frame shown last must, asked for or not: the end of the video hangs on it.
        """
        place = bisect_left(self._known, ticks)
        if self._known[place : place + 1] != [ticks]:
            return [], False
        self._undecided.popleft()
        time = self.seconds(ticks)
        low, high = -math.inf, math.inf
        if place:
            low = boundary(self.seconds(self._known[place - 1]), time)
        elif not self._from_start and self._asked.begins_before(time):
            raise LateSeekError
        last = place + 1 == len(self._known)
        if not last:
            self._sealed = max(self._sealed, self._known[place + 1])
            following = self.seconds(self._known[place + 1])
            if following - time > LONGEST_SECONDS:
                raise UnplannableError("a gap between packet times")
            high = boundary(time, following)
        elif self.end is None:
            raise UnplannableError("packets reordered further than was looked ahead")
        else:
            high = self.end - TIME_EPSILON
        indices = self._asked.take(low, high)
        if last and self._clamp:
            beyond = self._asked.take(high, math.inf)
            self.overrun = bool(beyond)
            indices += beyond
        if ticks == self._final:
            indices.append(-1)
        return indices, bool(indices) or last


class Damage:
    """Spans of seconds, each from a damaged packet or frame to the next key frame that is sound.

    What is between may be decoded from damaged pictures, so it counts.
    """

    def __init__(self) -> None:
        self._closed: list[tuple[float, float]] = []
        self._since: float | None = None

    def begin(self, seconds: float) -> None:
        """Something at this time is damaged."""
        self._since = seconds if self._since is None else min(self._since, seconds)

    def sound_key(self, seconds: float) -> None:
        """A key frame at this time is sound."""
        if self._since is not None and seconds > self._since:
            self._closed.append((max(0.0, self._since), seconds))
            self._since = None

    def spans(self, end: float, claimed: float | None) -> list[tuple[float, float]]:
        """The spans of a video that ends at `end` seconds and said it would at `claimed` (None: as it does)."""
        spans = list(self._closed)
        if self._since is not None and self._since < end:
            spans.append((max(0.0, self._since), end))
        if claimed is not None:
            spans.append((end, claimed))
        return _merged(spans)


def _merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
