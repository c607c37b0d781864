"""Mistakes worth a look: the false positives with the highest scores, and what nothing finds; with frames."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError
from pipeline.data.videos.finding import Source
from pipeline.pages.report_values import Mistake

MOST = 12  # of either kind
_OF_A_VIDEO, _OF_A_CLASS = 2, 3
_WIDTH, _QUALITY = 176, 68
_WHERE = (0.15, 0.5, 0.85)  # of the segment
_MOST_BYTES = 20_000  # of a frame
_RIGHT = ("right", "not counted")


def mistakes_of(truth: pd.DataFrame, detections: pd.DataFrame) -> list[Mistake]:
    """False positives, the best scored first, and ground truths that no detection is right for, the longest first.

    truth: video, start, end, label, found_by; detections: video, start, end, label, score, word. At most a few of
    a video and of a class, so that they are of many.
    """
    wrong = detections[~detections["word"].isin(_RIGHT)].sort_values(
        "score", ascending=False, kind="stable"
    )
    missed = truth[truth["found_by"].isna()]
    missed = missed.iloc[
        np.argsort(-(missed["end"] - missed["start"]).to_numpy(float), kind="stable")
    ]
    # A detection that is right but beaten says little: these come last.
    wrong = pd.concat([wrong[wrong["word"] != "twice"], wrong[wrong["word"] == "twice"]])
    chosen = [_mistake(wrong.iloc[row]) for row in _varied(wrong)]
    return chosen + [_mistake(missed.iloc[row]) for row in _varied(missed)]


def _mistake(row: pd.Series) -> Mistake:
    score = float(row["score"]) if "score" in row else None
    word = str(row.get("word", "missed"))
    return Mistake(row["video"], float(row["start"]), float(row["end"]), row["label"], score, word)


def with_frames(
    mistakes: Sequence[Mistake],
    sources: Mapping[str, Source],
    heartbeat: Callable[[], None] = lambda: None,
) -> tuple[list[Mistake], list[str]]:
    """The mistakes with three frames each where their video is there, and the videos that could not be read."""
    result, failed = list(mistakes), []
    for video in dict.fromkeys(one.video for one in mistakes):
        if video not in sources:
            continue
        places = [place for place, one in enumerate(mistakes) if one.video == video]
        try:
            with open_video(sources[video], allow_partial=True) as reader:
                for place in places:
                    one = mistakes[place]
                    times = [one.start + part * (one.end - one.start) for part in _WHERE]
                    frames = [jpeg(picture) for picture in reader.clip(times)]
                    result[place] = replace(one, frames=frames)
                    heartbeat()
        except (VideoError, OSError):
            failed.append(video)
    return result, failed


def jpeg(picture: np.ndarray) -> bytes:
    """A frame uint8 [H, W, 3] as a small JPEG."""
    from PIL import Image

    image = Image.fromarray(picture)
    width = min(_WIDTH, image.width)
    height = max(1, min(round(image.height * width / image.width), 2 * width))
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    for quality in (_QUALITY, 40, 20):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, optimize=True)
        if stream.tell() <= _MOST_BYTES:
            break
    return stream.getvalue()


def _varied(table: pd.DataFrame) -> list[int]:
    """The first MOST rows, at most a few of a video and of a class."""
    videos: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    chosen: list[int] = []
    for row, (video, label) in enumerate(zip(table["video"], table["label"], strict=True)):
        if len(chosen) == MOST:
            break
        if videos[video] < _OF_A_VIDEO and classes[label] < _OF_A_CLASS:
            videos[video] += 1
            classes[label] += 1
            chosen.append(row)
    return chosen
