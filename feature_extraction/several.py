"""Several videos at once through one network: each is decoded, and its clips fed, by threads of its own.

Against a process a video, the network's weights and the GPU's context are there once. For programs of one's own;
benchmarks/gpu_threads.py measures it. `tada-loc extract` has processes: a video that kills its decoder would take
all others of this one along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from feature_extraction.extractor import (
    ExtractionError,
    Extractor,
    Heartbeat,
    PathLike,
    VideoFeatures,
)
from feature_extraction.lanes import in_lanes
from feature_extraction.video.reader import VideoError

Found = VideoFeatures | VideoError | ExtractionError | OSError


def extract_several(
    extractor: Extractor,
    paths: Iterable[PathLike],
    *,
    threads: int,
    heartbeat: Heartbeat | None = None,
) -> Iterator[tuple[PathLike, Found]]:
    """Each path with what `Extractor.video` gives of it, or the error that it raises; in order.

    Up to `threads` videos are worked on at once. A batch holds clips of one video, so the features are to the bit
    those of one video after the other. A compiled network is for one thread: one video then. Raises
    ExtractionError on fewer threads than one.
    """
    if threads < 1:
        raise ExtractionError(f"threads is {threads}, must be at least 1")

    def one(path: PathLike) -> tuple[PathLike, Found]:
        try:
            return path, extractor.video(path, heartbeat=heartbeat)
        except (VideoError, ExtractionError, OSError) as error:
            return path, error

    return in_lanes(one, paths, 1 if extractor.network.compiled else threads)
