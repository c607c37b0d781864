"""The sound of a video by time: decoded piece by piece, and encoded again beside pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from feature_extraction.video.pyav_opening import open_container
from pipeline.writers.film.encoding import Film

Samples = NDArray[np.float32]  # [channels, samples]
# samples per second that AAC takes
RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
USUAL_RATE = 48000
BITS_A_CHANNEL = 96_000
BLOCK = 1024  # samples that AAC takes at once
LOOSE = 0.05  # seconds by which pieces may be early or late and still follow one another
SEEK_BACK = 1.0  # seconds ahead of what is wanted, where a decoder begins
SEEK_FROM = 10.0  # before that, reading from the start costs nothing


class Piece(NamedTuple):
    """Samples, and when they begin, in seconds."""

    seconds: float
    samples: Samples


def readable_packets(container: InputContainer, stream: Any) -> Iterator[Any]:
    """The packets of a stream as far as they can be read."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, IndexError):
            packet = None
        if packet is None:
            return
        yield packet


def sound_stream(container: InputContainer) -> av.AudioStream | None:
    """The stream that players play; None if there is none that can be decoded."""
    best = container.streams.best("audio")
    found = [one for one in container.streams.audio if one.codec_context is not None]
    return next((one for one in found if best is not None and one.index == best.index), None)


class Heard:
    """The sound of a file, decoded, by seconds that count from `origin` of the file's own clock; a context manager.

    What is before 0 is not given. Sound that does not decode is passed over. Raises VideoError.
    """

    def __init__(self, path: Path, origin: float, *, since: float = 0.0) -> None:
        self._container = open_container(path)
        self._origin = origin
        stream = sound_stream(self._container)
        self.there = stream is not None and stream.codec_context.sample_rate > 0
        if stream is None or not self.there:
            return
        head = stream.codec_context
        self.rate = head.sample_rate if head.sample_rate in RATES else USUAL_RATE
        self.layout = "mono" if head.layout.nb_channels == 1 else "stereo"
        if since > SEEK_FROM and stream.time_base:
            with suppress(av.FFmpegError, OverflowError):
                ticks = int((since - SEEK_BACK + origin) / stream.time_base)
                self._container.seek(ticks, stream=stream)
        self._pieces = self._decoded(stream)
        self._waiting: Piece | None = None

    def until(self, seconds: float) -> Iterator[Piece]:
        """What has not been given yet, up to a time."""
        while self.there:
            piece = self._waiting or next(self._pieces, None)
            self._waiting = None
            if piece is None:
                self.there = False
                return
            early, late = cut(piece, seconds, self.rate)
            if early.samples.size:
                yield early
            if late.samples.size:
                self._waiting = late
                return

    def _decoded(self, stream: Any) -> Iterator[Piece]:
        end = 0.0
        resampler = self._resampler()
        for frame in self._frames(stream):
            start = end if frame.time is None else float(frame.pts * frame.time_base) - self._origin
            made: list[Any] = []
            try:
                made = resampler.resample(frame)
            except (av.FFmpegError, ValueError):  # of another form from here on
                resampler = self._resampler()
                with suppress(av.FFmpegError, ValueError):
                    made = resampler.resample(frame)
            for one in made:
                piece = Piece(start, one.to_ndarray())
                start = end = start + one.samples / self.rate
                yield cut(piece, 0.0, self.rate)[1]

    def _frames(self, stream: Any) -> Iterator[Any]:
        """Frames as far as packets can be read; those that do not decode are passed over."""
        for packet in readable_packets(self._container, stream):
            with suppress(av.FFmpegError):
                yield from packet.decode()

    def _resampler(self) -> AudioResampler:
        return AudioResampler(format="fltp", layout=self.layout, rate=self.rate)

    def close(self) -> None:
        """Release the file."""
        self.there = False
        self._container.close()

    def __enter__(self) -> Heard:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Track:
    """Sound that is encoded as AAC into a film: pieces at their times, silence where there is none."""

    def __init__(self, film: Film, rate: int, layout: str) -> None:
        self._film, self._rate, self._layout = film, rate, layout
        self._stream: Any = film.container.add_stream("aac", rate=rate, layout=layout)
        channels = 1 if layout == "mono" else 2
        self._stream.bit_rate = BITS_A_CHANNEL * channels * min(rate, USUAL_RATE) // USUAL_RATE
        self._rest: Samples = np.zeros((channels, 0), np.float32)
        self._taken = self._written = 0  # samples

    def put(self, piece: Piece) -> None:
        """Add a piece after those before; what comes early is cut, and before what comes late is silence."""
        samples = piece.samples
        late = round(piece.seconds * self._rate) - self._taken
        if self._taken and abs(late) <= LOOSE * self._rate:
            late = 0  # clocks of files are coarse
        while late > 0:
            silence = min(late, self._rate)
            self._add(np.zeros((len(samples), silence), np.float32))
            late -= silence
        self._add(samples[:, -late:] if late < 0 else samples)

    def finish(self) -> None:
        """Encode what is left."""
        if self._rest.shape[1]:
            self._encode(self._rest)
        for packet in self._stream.encode(None):
            self._film.mux(packet)

    def _add(self, samples: Samples) -> None:
        self._taken += samples.shape[1]
        self._rest = np.concatenate([self._rest, samples], axis=1)
        while self._rest.shape[1] >= BLOCK:
            block, self._rest = self._rest[:, :BLOCK], self._rest[:, BLOCK:]
            self._encode(block)

    def _encode(self, block: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block), format="fltp", layout=self._layout
        )
        frame.sample_rate, frame.pts = self._rate, self._written
        frame.time_base = Fraction(1, self._rate)
        self._written += block.shape[1]
        for packet in self._stream.encode(frame):
            self._film.mux(packet)


def cut(piece: Piece, seconds: float, rate: int) -> tuple[Piece, Piece]:
    """A piece before and from a time on; either may be empty."""
    count = piece.samples.shape[1]
    place = round(min(max(0.0, (seconds - piece.seconds) * rate), count))
    late = Piece(piece.seconds + place / rate, piece.samples[:, place:])
    return Piece(piece.seconds, piece.samples[:, :place]), late
