"""Packets of a transport stream that are flagged as damaged, and whether something is missing after all.

Each packet has a number of four bits that counts on. Where segments were joined it starts anew: the flag
is raised, and the packets are whole. Then a key frame follows, and none that needs what came before.
"""

from __future__ import annotations

from typing import Any

GAP_SECONDS, GAP_FRAMES = (
    0.2,
    4,
)  # packets decoded this far apart have something missing between them
NEXT_FRAMES = 1.5  # the same, of packets that need each other


class Doubts:
    """What to think of a flagged packet, once those after it are there.

    The flag may come a packet early: FFmpeg puts the stream into pictures again. So one more packet may
    stand between it and the key frame, if it follows at once.
    """

    def __init__(self) -> None:
        self._flagged: Any = None
        self._last: Any = None

    def begin(self, packet: Any) -> None:
        """Doubt a packet."""
        if self._flagged is None:
            self._flagged = packet
        self._last = packet

    def lost(self, packet: Any, tick: float, usual: float) -> Any:
        """The flagged packet, if the next one (None: the end) shows that something is missing; else None.

        `tick` and `usual` are the seconds of a tick of the stream and of a frame.
        """
        flagged, last = self._flagged, self._last
        if flagged is None:
            return None
        if packet is not None:
            gap = _gap(packet, last, tick)
            if packet.is_keyframe and gap <= max(GAP_SECONDS, GAP_FRAMES * usual):
                self._flagged = self._last = None
                return None
            if not packet.is_keyframe and last is flagged and gap <= NEXT_FRAMES * usual:
                self._last = packet
                return None
        self._flagged = self._last = None
        return flagged


def _gap(packet: Any, before: Any, tick: float) -> float:
    """Seconds between the decoding of two packets; 0.0 where they do not tell."""
    if packet.dts is None or before.dts is None:
        return 0.0
    return float(packet.dts - before.dts) * tick
