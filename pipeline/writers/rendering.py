"""A video written again with its running actions drawn in: an MP4 with the original's sound."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from feature_extraction.video.frame_folder import FrameFolder
from pipeline.prediction.found import Prediction
from pipeline.progress import say
from pipeline.run_folder.files import atomic_path
from pipeline.writers.drawing import Overlay
from pipeline.writers.film.encoding import Film
from pipeline.writers.film.soundtrack import Soundtrack, sound_start
from pipeline.writers.film.sources import Pictures, open_pictures

Progress = Callable[[float], object]  # seconds of the video that are done


def render_video(
    prediction: Prediction,
    path: Path,
    *,
    source: Path | FrameFolder | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the video of a prediction as an MP4 with what runs drawn in; every picture at its own time.

    `source` takes the place of `prediction.source`: a `FrameFolder`, where frames have several patterns. Without one,
    the frames of a folder last the prediction's duration. Sound is kept as it is where MP4 takes it. A damaged
    video is written as far as it decodes, which is reported. Raises VideoError, and UserError where the file cannot be
    written.
    """
    source = prediction.source if source is None else source
    with open_pictures(source, prediction.duration) as pictures, atomic_path(path) as temporary:
        look, tick = pictures.look, pictures.look.tick
        overlay = Overlay(prediction, look.size, look.colours.space)
        late = _late(pictures)
        origin = float((pictures.first_tick - late) * tick)
        with Film(temporary, look) as film, Soundtrack(pictures.file, film, origin) as sound:
            if sound.left_out is not None:
                say(f"{prediction.video}: its sound is left out of {path.name}: {sound.left_out}")
            for shown in pictures.shown():
                frame = pictures.frame(shown)
                overlay.draw(frame, shown.seconds)
                film.show(frame, shown.tick + late, shown.until_tick + late)
                sound.write_to(shown.seconds + float(late * tick))
                if progress is not None:
                    progress(shown.until)
            sound.finish()
            film.finish()
        _say_damage(prediction.video, pictures)


def _late(pictures: Pictures) -> int:
    """By how many ticks the pictures begin after the sound, where they do: the film begins with what begins first."""
    start = sound_start(pictures.file)
    if start is None:
        return 0
    return max(0, pictures.first_tick - math.floor(start / float(pictures.look.tick) + 1e-6))


def _say_damage(video: str, pictures: Pictures) -> None:
    spans = pictures.damaged()
    if spans:
        seconds = sum(end - start for start, end in spans)
        start, end = spans[0]
        more = f", and {len(spans) - 1} more" if len(spans) > 1 else ""
        say(
            f"{video}: {seconds:.2f} s do not decode or are missing ({start:.2f} to {end:.2f} s{more}); "
            "the pictures there may be wrong or stand still"
        )
