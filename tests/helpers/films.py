"""What is found in a video by hand, and what a written video holds: pictures, their times, sound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd

from feature_extraction.video.opening import open_video
from helpers.numbered_videos import read_number
from pipeline.prediction.found import Curves, Prediction


def found_in(
    source: Path, *rows: tuple[float, float, str, float], duration: float = 3.0, **more: Any
) -> Prediction:
    """A prediction of detections (start, end, label, score)."""
    table = pd.DataFrame(rows, columns=["start", "end", "label", "score"])
    table.insert(0, "video", "v")
    curves = Curves(np.zeros(0), np.zeros(0), np.zeros(0))
    proposals = table[["video", "start", "end", "score"]]
    return Prediction("v", source, duration, table, proposals, curves, "model", "0", **more)


def times_of(path: Path) -> np.ndarray:
    """When each picture of a file is shown [n], in seconds from the first, by PyAV alone."""
    with av.open(str(path)) as container:
        avi = container.format.name == "avi"
        ticks: list[int] = []
        for frame in container.decode(video=0):
            own = frame.dts if avi else frame.pts
            ticks.append(ticks[-1] + 1 if own is None else own)
        tick = container.streams.video[0].time_base
    return np.array([float((time - ticks[0]) * tick) for time in ticks])


def numbers_of(path: Path) -> list[int]:
    """The numbers drawn into all pictures of a file."""
    with av.open(str(path)) as container:
        return [read_number(one.to_ndarray(format="rgb24")) for one in container.decode(video=0)]


def pictures_at(path: Path, times: Sequence[float]) -> list[np.ndarray]:
    """The pictures at some seconds, as the project's own reader gives them."""
    with open_video(path) as reader:
        return list(reader.clip(list(times)))


def end_of(path: Path) -> float:
    """Seconds from the first picture to the end of the last."""
    with open_video(path) as reader:
        list(reader.frames_at([math.inf]))
        assert reader.end_time is not None
        return reader.end_time


def sound_of(path: Path) -> tuple[str, list[tuple[float, bytes]]] | None:
    """The codec of the sound, and the packets with their times by the file's clock; None without sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        packets = [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]
        return stream.codec_context.codec.canonical_name, packets


def heard_in(path: Path) -> tuple[float, np.ndarray]:
    """The first sample's time by the file's clock, and all samples of the first channel."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono")
        start, pieces = None, []
        for frame in container.decode(audio=0):
            if start is None:
                start = float(frame.pts * frame.time_base)
            pieces += [one.to_ndarray()[0] for one in resampler.resample(frame)]
    return start or 0.0, np.concatenate(pieces)


def first_time(path: Path) -> float:
    """The first picture's time by the file's clock."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return float(frame.pts * frame.time_base)
