"""The baseline of reading clips of a video: asked from the file one by one, resized one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from torch import Tensor

from feature_extraction.sampling import ClipGrid
from feature_extraction.transforms import resize_short_side, to_tensor

ReadFrames = Callable[[np.ndarray], np.ndarray]


def baseline_clips(
    path: Path, grid: ClipGrid, numbers: Iterable[int], short_side: int
) -> Iterator[Tensor]:
    """Clips uint8 [frames, 3, H, W] of the grid, which must be at the file's own frame rate."""
    read, count, _ = open_baseline(path)
    for number in numbers:
        frames = read(grid.clip_indices(number, count - 1))
        yield resize_short_side(to_tensor(frames), short_side)


def open_baseline(path: Path) -> tuple[ReadFrames, int, str]:
    """(frame numbers -> frames uint8 [T, H, W, 3], frames in the file, what reads them).

    decord with one decoding thread; where it is not installed, PyAV seeking to the key frame
    before each clip.
    """
    try:
        import decord
    except ImportError:
        return _open_seeking(path)
    reader = decord.VideoReader(str(path), num_threads=1)
    return lambda numbers: reader.get_batch(numbers).asnumpy(), len(reader), "decord get_batch"


def _open_seeking(path: Path) -> tuple[ReadFrames, int, str]:
    container = av.open(str(path))
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    rate, tick, begin = stream.average_rate, stream.time_base, stream.start_time or 0

    def read(numbers: np.ndarray) -> np.ndarray:
        container.seek(begin + int(int(numbers[0]) / rate / tick), stream=stream)
        wanted, pictures = {int(number) for number in numbers}, {}
        for frame in container.decode(stream):
            number = round((frame.pts - begin) * tick * rate)
            if number in wanted:
                pictures[number] = frame.to_ndarray(format="rgb24")
            if number >= max(wanted):
                break
        return np.stack([pictures[int(number)] for number in numbers])

    return read, stream.frames, "PyAV seek"
