"""When pictures and sound end, and how far apart key frames are: found without decoding anything."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer

LATE_SECONDS = 10.0**6  # beyond any video
MOST_REORDERED = 64  # pictures; four times the deepest reordering H.264 and HEVC allow


def last_end(container: InputContainer) -> float:
    """Seconds at which the last packet of any stream ends, by a file's own clock; 0.0 without any."""
    ends = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux()
        if packet.pts is not None
    ]
    return max(ends, default=0.0)


def pictures_end(container: InputContainer, index: int, *, decode_times: bool) -> int | None:
    """Ticks at which the last picture of stream `index` ends; None if a packet has no time.

    A last picture without a length is shown as long as the one before. `decode_times`: of AVI.
    """
    times: list[tuple[int, int]] = []
    for packet in container.demux(container.streams[index]):
        if packet.size == 0 and packet.dts is None:
            continue  # PyAV's mark of the end
        if packet.is_discard:
            continue
        time = packet.dts if decode_times else packet.pts
        if time is None:
            return None
        times.append((time, packet.duration or 0))
    times.sort()
    if not times:
        return None
    gap = times[-1][0] - times[-2][0] if len(times) > 1 else 0
    return times[-1][0] + (times[-1][1] or gap)


def first_missing(container: InputContainer, index: int) -> int | None:
    """Ticks of the first picture that lacks among the last ones of stream `index` of a file that was cut.

    Pictures stored after the one shown last may be gone, and nothing is shorter for it. None if none is,
    or where pictures are stored in the order shown, so that all that is gone was shown later.
    """
    packets = container.demux(container.streams[index])
    times = [packet.pts for packet in packets if packet.pts is not None and not packet.is_discard]
    if all(one <= following for one, following in pairwise(times)):
        return None
    last = sorted(times)[-MOST_REORDERED:]
    gaps = [following - one for one, following in pairwise(last)]
    usual = sorted(gaps)[len(gaps) // 4]  # of many gone, most gaps are wide
    return next(
        (one + usual for one, gap in zip(last, gaps, strict=False) if gap > 1.5 * usual), None
    )


def longest_without_key(
    container: InputContainer, index: int, seconds: float | None
) -> float | None:
    """The longest time from a key frame in the index of stream `index` to the next, or to its end at `seconds`.

    None if this PyAV shows no index (before 16), or the file has none.
    """
    stream = container.streams[index]
    if not hasattr(stream, "index_entries") or not stream.time_base:
        return None
    tick = float(stream.time_base)
    # Matroska's index is read with the first seek
    container.seek(round(LATE_SECONDS / tick), stream=stream)
    times = [float(entry.timestamp * tick) for entry in stream.index_entries if entry.is_keyframe]
    if not times:
        return None
    ends = [*times[1:], max(times[-1], times[0] + (seconds or 0.0))]
    return max(end - time for time, end in zip(times, ends, strict=True))
