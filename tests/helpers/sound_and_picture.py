"""Videos the tests make with sound, which may last longer than the pictures, and with more than one stream."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from helpers.numbered_videos import draw_number, encode

SOUND_RATE = 44100


def pictures(count: int, size: tuple[int, int] = (96, 64), rate: int = 30) -> Iterator[Any]:
    """Numbered frames, to be encoded."""
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(draw_number(number, *size), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, rate)
        yield frame


def write(
    path: Path,
    codec: str,
    sound: str | None,
    *,
    frames: int = 90,
    seconds: float = 3.0,
    late: float = 0.0,
    **options: str,
) -> Path:
    """Numbered frames at 30 per second, and noise of this many seconds between them; `options` of the container.

    The pictures begin `late` seconds after the sound.
    """
    shift = round(30 * late)
    with av.open(str(path), "w", options=options) as out:
        video: Any = out.add_stream(codec, rate=30)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.options = {"g": "30", "threads": "1"}
        noise = _Noise(out, sound, seconds) if sound is not None else None
        for number, frame in enumerate(pictures(frames)):
            frame.pts += shift
            out.mux(video.encode(frame))
            if noise is not None:
                noise.write_to((number + 1 + shift) / 30)
        out.mux(video.encode(None))
        if noise is not None:
            noise.write_to(seconds)
            noise.close()
    return path


def never_closed(path: Path, frames: int = 90) -> Path:
    """An AVI as a writer that was killed leaves it: no frames in its head, no index, no size."""
    encode(path, range(frames), codec="mpeg4", tick=Fraction(1, 30))
    content = bytearray(path.read_bytes())
    content = content[: content.rindex(b"idx1")]
    struct.pack_into("<I", content, 4, 0)
    struct.pack_into("<I", content, content.index(b"avih") + 8 + 16, 0)
    struct.pack_into("<I", content, content.index(b"strh") + 8 + 32, 0)
    path.write_bytes(content)
    return path


class _Noise:
    def __init__(self, out: Any, codec: str, seconds: float) -> None:
        self._out, self._seconds, self._done = out, seconds, 0
        self._stream: Any = out.add_stream(codec, rate=SOUND_RATE, layout="stereo")
        self._stream.codec_context.bit_rate = 64000

    def write_to(self, seconds: float) -> None:
        size = self._stream.codec_context.frame_size or 1024
        while self._done < min(seconds, self._seconds) * SOUND_RATE:
            chance = np.random.default_rng(self._done)
            noise = (chance.normal(size=(2, size)) * 0.1).astype(np.float32)
            piece = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
            piece.sample_rate, piece.pts, piece.time_base = (
                SOUND_RATE,
                self._done,
                Fraction(1, SOUND_RATE),
            )
            self._done += size
            self._out.mux(self._stream.encode(piece))

    def close(self) -> None:
        self._out.mux(self._stream.encode(None))
