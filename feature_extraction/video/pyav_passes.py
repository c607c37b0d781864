"""Two ways through an open file, giving the same frames: planned from packets, or plain.

Both yield (indices, frame) in the order shown, an index -1 for the last frame of the final grid,
and set `video.end` when they reach the end. They stop early once every asked time is answered.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush

import av

from feature_extraction.video.frame_times import (
    TIME_EPSILON,
    AskedTimes,
    FramePlan,
    LateSeekError,
    UnplannableError,
    boundary,
    grid_times,
)
from feature_extraction.video.pyav_file import Item, Packet, VideoFile

LOOKAHEAD = 48  # packets; three times the deepest reordering H.264 and HEVC allow
MOST_LOOKAHEAD = 600

Answers = Iterator[tuple[list[int], av.VideoFrame]]
Pass = Callable[..., Answers]


def plain_pass(
    video: VideoFile,
    asked: AskedTimes,
    final_fps: float | None = None,
    *,
    from_start: bool = True,
    clamp: bool = False,
) -> Answers:
    """Decode every frame; a frame answers the asked times up to halfway to the next one."""
    grid = AskedTimes(grid_times(final_fps))
    held: av.VideoFrame | None = None
    closing: av.VideoFrame | None = None
    shown = gap = 0.0
    for frame in (frame for item in video.items() for frame in video.decode(item)):
        time = video.head.seconds(video.ticks(frame))
        if held is not None:
            limit = boundary(shown, time)
            indices = asked.take(-math.inf, limit)
            if indices:
                yield indices, held
            if grid.take(-math.inf, limit):
                closing = held
            if final_fps is None and asked.done:
                return
        elif not from_start and asked.begins_before(time):
            raise LateSeekError
        held, gap, shown = frame, time - shown, time
    if held is None:
        raise LateSeekError
    video.end = shown + video.shown_seconds(held, gap)
    indices = asked.take(-math.inf, math.inf if clamp else video.end - TIME_EPSILON)
    if grid.take(-math.inf, video.end - TIME_EPSILON):
        closing = held
    if indices:
        yield indices, held
    if closing is not None:
        yield [-1], closing


def planned_pass(
    video: VideoFile,
    asked: AskedTimes,
    final_fps: float | None = None,
    *,
    from_start: bool = True,
    clamp: bool = False,
) -> Answers:
    """Read packets ahead, let the decoder drop frames that are not needed, give the others.

    Raises UnplannableError if packets turn out not to show what the decoder returns.
    """
    plan = FramePlan(asked, video.head.first, video.head.tick, from_start=from_start, clamp=clamp)
    due = _Due()
    for item in _planned_items(video, plan, final_fps):
        needed = True
        packet = _shown(item)
        if packet is not None and packet.pts is not None:  # none without a time came into the plan
            indices, needed = plan.wanted(packet.pts)
            if needed:
                due.add(packet.pts, indices)
        for frame in video.decode(item, needed=needed):
            plan.check_shown(frame.pts)
            indices = due.answer(frame.pts)
            if indices:
                yield indices, frame
        if final_fps is None and not due.ticks and asked.done:
            # A frame may stand for times after the end only where that is the end of the video.
            video.end = plan.end if plan.overrun else None
            return
    if due.ticks:
        raise UnplannableError("the decoder did not return every frame")
    video.end = plan.end


class _Due:
    """Frames that have to come out of the decoder, and whom they answer."""

    def __init__(self) -> None:
        self.ticks: list[int] = []  # a heap
        self._indices: dict[int, list[int]] = {}

    def add(self, ticks: int, indices: list[int]) -> None:
        heappush(self.ticks, ticks)
        self._indices[ticks] = indices

    def answer(self, ticks: int | None) -> list[int]:
        """Give what a shown frame answers; a frame that was due before it must have come."""
        if self.ticks and (ticks is None or ticks > self.ticks[0]):
            raise UnplannableError("the decoder skipped a frame")
        if not self.ticks or ticks != self.ticks[0]:
            return []
        heappop(self.ticks)
        return self._indices.pop(ticks)


def _planned_items(video: VideoFile, plan: FramePlan, final_fps: float | None) -> Iterator[Item]:
    """Give the items, each when the plan knows of the packets around it."""
    depth = LOOKAHEAD
    if final_fps:  # the last frame of the grid must still be undecided when the end comes in sight
        depth += math.ceil(max(1.0, video.head.fps) / final_fps) + 1
    if depth > MOST_LOOKAHEAD:
        raise UnplannableError("too few final frames")
    ahead: deque[Item] = deque()
    for item in video.items():
        if item.packet is None:
            final = plan.close(video.head.usual_seconds, final_fps)
            if final is not None and not any(
                i.packet is not None and i.packet.pts == final for i in ahead
            ):
                raise UnplannableError("the last frame of the grid has passed")
        elif (packet := _shown(item)) is not None:
            plan.add(packet.pts, packet.duration)
        ahead.append(item)
        if len(ahead) > depth:
            yield ahead.popleft()
    yield from ahead


def _shown(item: Item) -> Packet | None:
    """The packet of an item, unless it is only decoded for others' sake (cut by an edit list)."""
    return None if item.packet is None or item.packet.is_discard else item.packet
