"""Whether the gaps in a transport stream are where segments were joined, with nothing missing.

The packets of each stream count on from 0 to 15. Joined as they are, segments start counting again, and FFmpeg
flags the pictures there as damaged, though they are whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from feature_extraction.video.content.clock import Head

if TYPE_CHECKING:
    import av

SYNC = 0x47
LENGTHS = (188, 192, 204)  # of packets; the bytes beyond 188 say nothing here
LOOK = 5  # marks in a row are no chance
GAP_SECONDS, GAP_FRAMES = 0.2, 4  # between the times of two segments, this much is none


def only_joins(path: Path, pid: int) -> bool:
    """Whether the stream `pid` counts on from its first packet to its last but where segments were joined.

    A segment begins with the table of programs, which starts counting again, too, and with a key frame. False, too,
    where there is no gap at all, or a packet says itself that it is damaged.
    """
    packets = _packets(path)
    if packets is None:
        return False
    pids = (packets[:, 1].astype(np.uint16) & 0x1F) << 8 | packets[:, 2]
    own = np.flatnonzero(pids == pid)
    if not own.size or (packets[own, 1] & 0x80).any():
        return False
    tables = np.flatnonzero(pids == 0)
    anew = set(tables[_gaps(packets[tables])].tolist())
    anew |= set(tables[(packets[tables, 3] & 15) == 0].tolist())
    gaps = np.flatnonzero(_gaps(packets[own]))
    for gap in gaps:
        before, after = own[gap - 1], own[gap]
        first, stop = np.searchsorted(tables, [before, after])
        # a picture begins in it, and the packet says that decoding can begin there
        begins = packets[after, 1] & 0x40 and packets[after, 3] & 0x20 and packets[after, 5] & 0x40
        if not begins or not anew.intersection(tables[first:stop].tolist()):
            return False
    return bool(gaps.size)


def _packets(path: Path) -> NDArray[np.uint8] | None:
    """The packets [n, length] of a file from its first one on; None if they do not follow each other."""
    content = np.memmap(path, dtype=np.uint8, mode="r")
    for length in LENGTHS:
        for first in range(min(length, len(content))):
            marks = content[first : first + LOOK * length : length]
            if len(marks) == LOOK and (marks == SYNC).all():
                count = (len(content) - first) // length
                packets = content[first : first + count * length].reshape(count, length)
                return packets if (packets[:, 0] == SYNC).all() else None
    return None


def _gaps(packets: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which packets [n] of a stream do not count on from the one before, and do not say that they need not."""
    number, flags = packets[:, 3] & 15, packets[:, 3]
    has_payload = (flags & 0x10) > 0
    need_not = ((flags & 0x20) > 0) & (packets[:, 4] > 0) & ((packets[:, 5] & 0x80) > 0)
    gaps = np.zeros(len(packets), dtype=np.bool_)
    expected = (number[:-1] + has_payload[1:]) & 15
    gaps[1:] = (number[1:] != expected) & ~need_not[1:]
    return gaps


class Gaps:
    """Finds segments that are missing between those that were joined, by the times around the flagged packets."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._reached: int | None = None  # ticks at which the last picture so far ends
        self._flagged = False

    def before(
        self, packet: av.Packet[av.VideoStream], *, flagged: bool
    ) -> tuple[int, float] | None:
        """Where pictures lack in front of a packet: the ticks they lack from, and for how many seconds."""
        self._flagged = self._flagged or flagged  # FFmpeg flags one a little before the join
        reached, tick = self._reached, self._head.tick
        if packet.pts is None:
            return None
        end = packet.pts + (packet.duration or round(self._head.usual_seconds / tick))
        self._reached = end if reached is None else max(reached, end)
        if reached is None or not (self._flagged and packet.is_keyframe):
            return None
        self._flagged = False
        gap = (packet.pts - reached) * tick
        allowed = max(GAP_SECONDS, GAP_FRAMES * self._head.usual_seconds)
        return (reached, gap) if gap > allowed else None
