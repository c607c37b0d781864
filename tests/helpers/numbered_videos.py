"""Videos the tests make: every frame carries its number in black and white blocks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
BLOCK = 16  # pixels; wide enough to come through H.264


def draw_number(number: int, width: int, height: int) -> np.ndarray:
    """A frame [height, width, 3] with its number in blocks of two rows, on a moving ramp."""
    ramp = (np.arange(width)[None] + 3 * np.arange(height)[:, None] + 5 * number) % 256
    frame = np.repeat(ramp[..., None].astype(np.uint8), 3, axis=2)
    for bit in range(BITS):
        row, column = divmod(bit, BITS // 2)
        block = frame[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
        block[:] = 255 if number >> bit & 1 else 0
    return frame


def read_number(frame: np.ndarray) -> int:
    """The number drawn into a frame [H, W, 3]."""
    number = 0
    for bit in range(BITS):
        row, column = divmod(bit, BITS // 2)
        block = frame[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
        number |= int(block[4:-4, 4:-4].mean() > 127) << bit
    return number


def encode(
    path: Path,
    ticks: Sequence[int],
    *,
    tick: Fraction = Fraction(1, 90000),
    codec: str = "libx264",
    size: tuple[int, int] = (96, 64),
    pix_fmt: str = "yuv420p",
    rate: int = 30,
    shift: int = 0,
    container: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Encode frame j to be shown at ticks[j] * tick seconds; packets are moved by `shift` ticks."""
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = tick
        stream.options = {"threads": "1", **options}

        def write(frame: av.VideoFrame | None) -> None:
            for packet in stream.encode(frame):
                unit = packet.time_base or tick
                moved = round(shift * tick / unit)
                packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
                file.mux(packet)

        for number, time in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(draw_number(number, *size), format="rgb24")
            frame.pts, frame.time_base = time, tick
            write(frame)
        write(None)
    return path


def even_ticks(count: int, rate: int = 30) -> list[int]:
    return [number * 90000 // rate for number in range(count)]


def decode_all(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Every frame as PyAV gives it: times [n] in seconds from the first, upright pictures."""
    with av.open(str(path)) as container:
        avi = container.format.name == "avi"  # stores decode times alone
        frames = [
            (frame.dts if avi else frame.pts, frame.to_ndarray(format="rgb24"), frame.rotation)
            for frame in container.decode(video=0)
        ]
        tick = container.streams.video[0].time_base
    ticks: list[int] = []
    for time, _, _ in frames:
        ticks.append(ticks[-1] + 1 if time is None else time)
    times = np.array([float((time - ticks[0]) * tick) for time in ticks])
    return times, [np.rot90(picture, angle // 90) for _, picture, angle in frames]


def nearest(times: np.ndarray, time: float) -> int:
    """The frame nearest to a time, by looking at all; the earlier one on a tie."""
    return int(np.argmin(np.round(np.abs(times - time), 6)))
