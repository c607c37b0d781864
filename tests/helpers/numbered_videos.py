"""Videos the tests make: every frame carries its number in black and white blocks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np

from feature_extraction.video.opening import open_video

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
    shift: int = 0,
    container: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Encode frame j to be shown at ticks[j] * tick seconds; packets are moved by `shift` ticks."""
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=30)
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


def even_ticks(frames: int) -> list[int]:
    """When frames at 30 per second are shown, in ticks of 1/90000 s."""
    return [number * 3000 for number in range(frames)]


def uneven_ticks(frames: int) -> list[int]:
    """When frames shown for 7 to 100 ms each are shown, in ticks of 1/90000 s."""
    ticks = np.cumsum(np.random.default_rng(1).integers(600, 9000, frames))
    return (ticks - ticks[0]).tolist()


# name -> (ticks the frames are shown at, options of `encode`)
VIDEOS: dict[str, tuple[list[int], dict[str, Any]]] = {
    "constant.mp4": (even_ticks(90), {"bf": "0", "g": "30"}),
    "b_frames.mp4": (even_ticks(90), {"bf": "3", "g": "40", "b_strategy": "0"}),
    "b_pyramid_open_gop.mp4": (
        even_ticks(90),
        {"x264-params": "bframes=4:b-adapt=0:b-pyramid=normal:open-gop=1:keyint=24:scenecut=0"},
    ),
    "variable.mp4": (uneven_ticks(90), {"bf": "2", "g": "25"}),
    "variable.mkv": (uneven_ticks(90), {"bf": "2", "g": "25"}),
    "late_start.mp4": (even_ticks(90), {"shift": 180000, "bf": "2", "g": "25"}),
    "late_start.mkv": (even_ticks(90), {"shift": 180000, "bf": "2", "g": "25"}),
    "late_start.ts": (even_ticks(90), {"shift": 900000, "bf": "2", "g": "25"}),
    "cut_by_edit_list.mp4": (even_ticks(90), {"shift": -90000, "bf": "2", "g": "60"}),
    "odd_size.mp4": (even_ticks(90), {"size": (97, 65), "pix_fmt": "yuv444p", "bf": "2"}),
    "fragmented.mp4": (
        even_ticks(90),
        {"container": {"movflags": "frag_keyframe+empty_moov"}, "g": "20", "bf": "2"},
    ),
    "mpeg4.avi": (
        list(range(90)),
        {"codec": "mpeg4", "bf": "2", "g": "20", "tick": Fraction(1, 30)},
    ),
    "hevc.mp4": (
        even_ticks(90),
        {"codec": "libx265", "x265-params": "log-level=none:keyint=30:bframes=3:pools=1"},
    ),
    "vp9.webm": (even_ticks(90), {"codec": "libvpx-vp9", "g": "30", "deadline": "realtime"}),
    "one_frame.mp4": ([0], {}),
}


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


def read_to_end(path: Path, **options: Any) -> tuple[int, float | None]:
    """How many frames a pass at 30 per second gives, and the end in seconds."""
    with open_video(path, **options) as reader:
        return sum(1 for _ in reader.frames_at(k / 30 for k in count())), reader.end_time
