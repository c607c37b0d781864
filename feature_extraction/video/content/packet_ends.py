"""When pictures and sound end, told by the packets of a file, none of which is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer


def last_end(container: InputContainer) -> float:
    """Seconds at which the last packet of any stream ends, by a file's own clock; 0.0 without any."""
    ends = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux()
        if packet.pts is not None
    ]
    return max(ends, default=0.0)


def pictures_end(container: InputContainer, index: int, *, decode_times: bool) -> int | None:
    """Ticks at which the last picture of stream `index` ends; None where a packet does not tell its time.

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
