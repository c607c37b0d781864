"""Which spans of a video do not decode, as far as its packets and its decoder tell."""

from __future__ import annotations


class Damage:
    """Spans of seconds, each from a damaged packet or frame to the next key frame that is sound.

    What lies between may be decoded from damaged pictures, so it counts.
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
