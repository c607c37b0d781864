"""Where the first frame of a video is in the time of what plays it: all times of a prediction count from it.

Most files begin with their first frame. Others begin with sound, or were cut out of a longer one and kept the clock of the longer one.
"""

from __future__ import annotations

from pipeline.prediction.found import Prediction


def browser_begins(prediction: Prediction) -> float:
    """Seconds into the time of a browser, which is the file's own clock, at which the first frame is shown.

    0 for a folder of frames, and where the video cannot be read (any more).
    """
    return _begins(prediction)[0]


def player_begins(prediction: Prediction) -> float:
    """The same in the time of a player, which counts from what begins first in the file."""
    return _begins(prediction)[1]


def _begins(prediction: Prediction) -> tuple[float, float]:
    from feature_extraction.video.opening import first_shown
    from feature_extraction.video.reader import VideoError

    if not prediction.is_file:
        return 0.0, 0.0
    try:
        clock, start = first_shown(prediction.source)
    except VideoError:
        return 0.0, 0.0
    return max(clock, 0.0), max(clock - start, 0.0)
