"""The film: the moments one after the other, each frame beside itself with each class's map."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from feature_extraction.extractor import Extractor
from feature_extraction.transforms import eval_transform, to_tensor
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import Reader
from pipeline.data.videos.finding import Source
from pipeline.printing import printable
from pipeline.run_folder.files import atomic_path
from pipeline.tools.explain.colours import heat_at, painted, scales_of
from pipeline.tools.explain.looking import Explained
from pipeline.tools.explain.sheet import headline, row_title
from pipeline.writers.film.encoding import Film
from pipeline.writers.film.sources import Look
from pipeline.writers.film.upright import FromPictures
from pipeline.writers.overlay.fonts import fitted, font_for

_MOST_RATE = 30.0  # pictures per second
_SMALLEST, _LARGEST = 224, 360  # pixels of a frame's height in the film
_BAR, _TEXT, _GAP = 26, 14, 8
_PAPER, _INK = (16, 16, 16), (240, 240, 240)


def write_film(
    path: Path, explained: Sequence[Explained], extractor: Extractor, source: Source
) -> None:
    """Write an MP4 of a video's moments, at the video's rate. Raises VideoError, UserError."""
    widest = max(len(one.moment.targets) for one in explained)
    with _opened(source, extractor) as reader:
        rate = Fraction(min(reader.info.fps or _MOST_RATE, _MOST_RATE)).limit_denominator(1001)
    pictures = enumerate(_pictures(explained, extractor, source, float(rate), widest))
    with atomic_path(path) as temporary, contextlib.ExitStack() as stack:
        _, first = next(pictures)
        ready = FromPictures(first.shape[1], first.shape[0])
        look = Look(ready.size, 1 / rate, rate, None, ready.colours)
        film = stack.enter_context(Film(temporary, look))
        for tick, picture in itertools.chain([(0, first)], pictures):
            film.show(ready.frame(picture), tick, tick + 1)
        film.finish()


def _pictures(
    explained: Sequence[Explained],
    extractor: Extractor,
    source: Source,
    rate: float,
    widest: int,
) -> Iterator[np.ndarray]:
    """The pictures uint8 [H, W, 3] of the film."""
    for number, one in enumerate(explained, start=1):
        first, last = one.times[0], one.times[-1]
        times = first + np.arange(max(1, math.ceil((last - first) * rate))) / rate
        scales = scales_of(one)
        titles = ["", *(row_title(target) for target in one.moment.targets)]
        with _opened(source, extractor) as reader:
            for place, frame in reader.frames_at(times.tolist()):
                if place < 0:
                    break
                seen = eval_transform(
                    to_tensor(frame[None]), short_side=extractor.short_side, crop=extractor.crop
                )
                plain = _sized(seen[0].permute(1, 2, 0).numpy())
                panels = [plain]
                for target in range(len(one.maps)):
                    heat = heat_at(one, target, times[place])
                    panels.append(painted(plain, heat, scales[target]))
                head = headline(number, one)
                yield _composed(panels, titles, head, f"{times[place]:.2f} s", widest + 1)


def _sized(frame: np.ndarray) -> np.ndarray:
    """A frame at a comfortable height for viewing."""
    height, width = frame.shape[:2]
    wanted = min(max(height, _SMALLEST), _LARGEST)
    size = (max(2, round(width * wanted / height)), wanted)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))


def _composed(
    panels: Sequence[np.ndarray], titles: Sequence[str], head: str, clock: str, count: int
) -> np.ndarray:
    """Panels side by side, space for `count` of them, titles above, and what is shown below."""
    height, width = panels[0].shape[:2]
    whole = Image.new("RGB", (count * (width + _GAP) - _GAP, height + 2 * _BAR), _PAPER)
    draw = ImageDraw.Draw(whole)
    for place, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        left = place * (width + _GAP)
        whole.paste(Image.fromarray(panel), (left, _BAR))
        _text(draw, (left + 4, _BAR // 2), title, width - 8)
    room = whole.width - 80
    _text(draw, (4, height + _BAR + _BAR // 2), head, room - 8)
    _text(draw, (room, height + _BAR + _BAR // 2), clock, 80)
    return np.asarray(whole)


def _text(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, room: int) -> None:
    shown = printable(text)
    font = font_for(shown, _TEXT)
    draw.text(place, fitted(shown, font, room), _INK, font, anchor="lm")


def _opened(source: Source, extractor: Extractor) -> Reader:
    return open_video(
        source,
        extractor.decoder,
        allow_partial=extractor.allow_partial,
        device=extractor.device,
    )
