"""The whole sound of a video beside its pictures: copied as it is where MP4 takes it, else encoded as AAC."""

from __future__ import annotations

import math
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

from feature_extraction.video.pyav_opening import open_container
from pipeline.writers.film.encoding import Film
from pipeline.writers.film.sound import Heard, Track, readable_packets, sound_stream

# FFmpeg's names of what players of MP4 know
COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})


class Soundtrack:
    """Sound that goes along with the pictures of a film; a context manager.

    `origin`: the second of the file's own clock at which the film begins. `left_out` says why there is none, where
    the file has sound. Raises VideoError.
    """

    def __init__(self, path: Path | None, film: Film, origin: float) -> None:
        self.left_out: str | None = None
        self._sound: _Copied | _Encoded | None = None
        if path is None:
            return
        with open_container(path) as container:
            there, stream = bool(container.streams.audio), sound_stream(container)
            codec = None if stream is None else stream.codec_context.codec.canonical_name
        if codec in COPIED:
            self._sound = _Copied(path, film, origin)
        elif codec is not None:
            sound = _Encoded(path, film, origin)
            self._sound = sound if sound.track is not None else None
        if there and self._sound is None:
            self.left_out = "it cannot be decoded"

    def write_to(self, seconds: float) -> None:
        """Write what is heard before a time of the film."""
        if self._sound is not None:
            self._sound.write_to(seconds)

    def finish(self) -> None:
        """Write the rest."""
        if self._sound is not None:
            self._sound.write_to(math.inf)
            self._sound.finish()

    def __enter__(self) -> Soundtrack:
        return self

    def __exit__(self, *error: object) -> None:
        if self._sound is not None:
            self._sound.close()


def sound_start(path: Path | None) -> float | None:
    """When the sound of a file begins, in seconds of the file's own clock; None without sound."""
    if path is None:
        return None
    with open_container(path) as container:
        stream = sound_stream(container)
        if stream is None or stream.start_time is None or not stream.time_base:
            return None
        return float(stream.start_time * stream.time_base)


class _Copied:
    def __init__(self, path: Path, film: Film, origin: float) -> None:
        self._container = open_container(path)
        self._film, self._origin = film, origin
        stream: Any = sound_stream(self._container)
        self._rate = stream.codec_context.sample_rate or 48000
        self._stream = film.container.add_stream_from_template(stream)
        self._packets = self._read(stream)
        self._waiting: Any = None

    def write_to(self, seconds: float) -> None:
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = packet
            if packet is None or packet.pts >= seconds * self._rate:
                return
            self._waiting = None
            packet.stream = self._stream
            self._film.mux(packet)

    def _read(self, stream: Any) -> Generator[Any, None, None]:
        """Packets by the film's clock, in samples, as far as they can be read; times always rise."""
        newest: int | None = None
        length = 0
        for packet in readable_packets(self._container, stream):
            if packet.size == 0 or packet.is_corrupt:
                continue  # PyAV's mark of the end; a part is missing
            own = packet.pts if packet.pts is not None else packet.dts
            time = 0 if newest is None else newest + length
            if own is not None:
                time = round((float(own * packet.time_base) - self._origin) * self._rate)
            if packet.is_discard and time >= 0 and newest is not None:
                continue  # cut by an edit list
            length = round((packet.duration or 0) * packet.time_base * self._rate)
            newest = time if newest is None else max(newest + 1, time)
            packet.time_base = Fraction(1, self._rate)
            packet.pts = packet.dts = newest
            packet.duration = length
            yield packet

    def finish(self) -> None:
        pass

    def close(self) -> None:
        self._packets.close()
        self._container.close()


class _Encoded:
    def __init__(self, path: Path, film: Film, origin: float) -> None:
        self._heard = Heard(path, origin)
        self.track: Track | None = None
        if self._heard.there:
            self.track = Track(film, self._heard.rate, self._heard.layout)
        else:
            self._heard.close()

    def write_to(self, seconds: float) -> None:
        assert self.track is not None
        for piece in self._heard.until(seconds):
            self.track.put(piece)

    def finish(self) -> None:
        assert self.track is not None
        self.track.finish()

    def close(self) -> None:
        self._heard.close()
