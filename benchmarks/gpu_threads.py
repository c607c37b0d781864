"""Extraction on a GPU in one process: several videos at once, decoded by the CPU or by the GPU, and who waits."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import networks
from benchmarks.decode import GRID
from benchmarks.videos import SMALL_FRAME, encode_video
from feature_extraction.extractor import Extractor, VideoFeatures
from feature_extraction.several import extract_several
from feature_extraction.video.hardware.acceleration import require_nvdec
from feature_extraction.video.reader import VideoError


@dataclass(frozen=True)
class Fed:
    """Clips per second, and the share of the time in which no batch was in the network."""

    clips: float
    waits: float


class Timed(Extractor):
    """An extractor that notes from when until when each batch was in the network; of several threads too."""

    def _batch_features(self, clips: list[Tensor]) -> np.ndarray:
        begin = time.perf_counter()
        try:
            return super()._batch_features(clips)
        finally:
            SPANS.append((begin, time.perf_counter()))


SPANS: list[tuple[float, float]] = []


def fed_rates(
    device: str, threads: tuple[int, ...], *, small: bool = False
) -> dict[tuple[str, int], Fed]:
    """By decoder and number of videos at once; the GPU's decoder only where it is there."""
    size, frames, jobs = ((96, 64), 32, 2) if small else (SMALL_FRAME, 1200, 4)
    torch.set_num_threads(1)
    model = networks.draw_tada2d(networks.SMALL if small else networks.FULL)
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        path = encode_video(Path(folder) / "video.mp4", size, frames)
        for decoder in _decoders(device):
            extractor = Timed(
                networks.inference_network(model, "bfloat16"),
                GRID,
                short_side=32 if small else 224,
                batch_size=2 if small else 16,
                device=device,
                decoder=decoder,
            )
            list(extract_several(extractor, [path], threads=1))  # warms up
            for count in threads:
                rates[decoder, count] = _fed(extractor, path, count, jobs)
    return rates


def _fed(extractor: Extractor, path: Path, threads: int, jobs: int) -> Fed:
    SPANS.clear()
    begin = time.perf_counter()
    clips = 0
    for _, found in extract_several(extractor, [path] * (jobs * threads), threads=threads):
        if not isinstance(found, VideoFeatures):
            raise found
        clips += len(found.features)
    seconds = time.perf_counter() - begin
    return Fed(clips / seconds, 1 - covered(SPANS) / seconds)


def covered(spans: list[tuple[float, float]]) -> float:
    """Seconds that lie in at least one span."""
    total, end = 0.0, -1.0
    for begin, stop in sorted(spans):
        total += max(0.0, stop - max(begin, end))
        end = max(end, stop)
    return total


def _decoders(device: str) -> list[str]:
    try:
        require_nvdec(device)
    except VideoError:
        return ["pyav"]
    return ["pyav", "nvdec"]
