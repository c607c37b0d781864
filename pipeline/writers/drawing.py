"""Running actions drawn into the pictures of a video: their labels and scores, and the whole video's time line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import av
import numpy as np
from PIL import Image, ImageDraw

from feature_extraction.video.frame_times import TIME_EPSILON
from pipeline.colours import looks_of
from pipeline.prediction.found import Prediction
from pipeline.printing import printable
from pipeline.writers.overlay.bars import bar
from pipeline.writers.overlay.fonts import fitted, font_for
from pipeline.writers.overlay.patches import Patch, patch
from pipeline.writers.overlay.timeline import Part, Timeline

PLATE = (0, 0, 0, 190)  # behind text: white on it is readable whatever the picture
WHITE = (255, 255, 255, 255)
SMALLEST, LARGEST = 10, 96  # pixels of text
SHARE = 30  # of the short side, one part is the height of text
MOST = 0.45  # of the height, for labels


class Overlay:
    """What is drawn over the pictures of a video of `size` pixels (even); `space` is their colour space.

    The labels of running actions are drawn when these change, the clock each second; between, only the mark of the time
    moves. An action runs from its start, that included, to its end, that not.
    """

    def __init__(self, prediction: Prediction, size: tuple[int, int], space: int) -> None:
        found = prediction.detections.sort_values("score", ascending=False, kind="stable")
        self._starts = found["start"].to_numpy(float)
        self._ends = found["end"].to_numpy(float)
        self._scores = found["score"].to_numpy(float).tolist()
        self._labels = [str(label) for label in found["label"]]
        names = {label: printable(prediction.name_of(label)) for label in set(self._labels)}
        self._names, self._space = names, space
        self._looks = looks_of(names, prediction.classes)
        self._width, self._height = size
        self._text = min(max(round(min(size) / SHARE), SMALLEST), LARGEST)
        self._duration = prediction.duration if math.isfinite(prediction.duration) else 0.0
        spans = zip(self._starts.tolist(), self._ends.tolist(), self._labels, strict=True)
        parts = [Part(start, end, names[one], self._looks[one]) for start, end, one in spans]
        self._line = Timeline(size, self._duration, parts)
        self._mark = patch(self._line.mark(), 0, self._line.top, space=space)
        self._running: list[int] | None = None  # what is drawn now
        self._second: int | None = None
        self._panel: list[Patch] = []
        self._clock: list[Patch] = []

    def draw(self, frame: av.VideoFrame, seconds: float) -> None:
        """Draw into a yuv420p frame what runs at a time."""
        running = self.running(seconds)
        if running != self._running:
            self._running = running
            self._panel = [self._bar(running), *self._lines(running)]
        second = math.floor(seconds + TIME_EPSILON)
        if second != self._second:
            self._second, self._clock = second, self._clock_at(second)
        for one in (*self._panel, *self._clock):
            one.put(frame)
        self._mark.put(frame, left=self._line.place(seconds))

    def running(self, seconds: float) -> list[int]:
        """The numbers of the detections that run at a time, best first."""
        begun = self._starts <= seconds + TIME_EPSILON
        found: list[int] = np.flatnonzero(begun & (seconds + TIME_EPSILON < self._ends)).tolist()
        return found

    def regions(self) -> list[tuple[int, int, int, int]]:
        """Where something is drawn now: left, top, right, bottom in pixels."""
        drawn = [
            (one.left, one.top, one.left + one.keep[0].shape[1], one.top + one.keep[0].shape[0])
            for one in (*self._panel, *self._clock)
        ]
        return [*drawn, (0, self._line.top, self._width, self._height)]

    def _bar(self, running: Sequence[int]) -> Patch:
        return patch(self._line.picture(running), 0, self._line.top, space=self._space)

    def _lines(self, running: Iterable[int]) -> list[Patch]:
        """A line per label, the best one on top, above the time line; what does not fit is counted."""
        best: dict[str, float] = {}
        for number in running:
            best.setdefault(self._labels[number], self._scores[number])
        step = self._step
        room = min(int(MOST * self._height), self._line.top) // step
        if not room:
            return []
        shown = list(best.items())
        if len(shown) > room:
            shown = shown[: max(1, room - 1)]
        texts = [(label, f"{score:.2f}") for label, score in shown]
        more = len(best) - len(shown)
        pictures = [self._label(label, score) for label, score in texts]
        if more and room > 1:
            pictures.append(self._plate(f"+{more} more", self._text // 3))
        top = self._line.top - step * len(pictures)
        return [
            patch(picture, 0, top + step * number, space=self._space)
            for number, picture in enumerate(pictures)
        ]

    @property
    def _step(self) -> int:
        step = round(1.4 * self._text)
        return step + step % 2

    def _label(self, label: str, score: str) -> Image.Image:
        """A line of text RGBA: a chip of the label's look, its name as far as it fits, its score."""
        name, side = self._names[label], round(0.8 * self._text)
        pad = self._text // 3
        chip = side + pad
        font = font_for(name, self._text)
        tail = f"  {score}"
        room = self._width - self._clock_width - 2 * pad - chip - font.getlength(tail)
        picture = self._plate(fitted(name, font, room) + tail, pad + chip, font_text=name)
        place = (pad, (picture.height - side) // 2)
        look = bar(self._looks[label], side, side)
        ImageDraw.Draw(look).rectangle((0, 0, side - 1, side - 1), outline=WHITE)
        picture.paste(look, place)
        return picture

    def _plate(self, text: str, left: int, *, font_text: str | None = None) -> Image.Image:
        """Text on a dark plate, RGBA, `left` pixels from its left edge."""
        font = font_for(text if font_text is None else font_text, self._text)
        width = min(left + math.ceil(font.getlength(text)) + self._text // 3, self._width)
        picture = Image.new("RGBA", (max(width + width % 2, 2), self._step), PLATE)
        draw = ImageDraw.Draw(picture)
        draw.text((left, picture.height / 2), text, WHITE, font, anchor="lm")
        return picture

    @property
    def _clock_width(self) -> int:
        """Pixels kept free for the clock; 0 where the picture is too narrow for one."""
        width = len(self._clock_text(int(self._duration))) * self._text
        return width if 2 * width < self._width and self._step <= self._line.top else 0

    def _clock_text(self, second: int) -> str:
        return f"{clock(second)} / {clock(self._duration)}"

    def _clock_at(self, second: int) -> list[Patch]:
        if not self._clock_width:
            return []
        picture = self._plate(self._clock_text(second), self._text // 3)
        left = self._width - picture.width
        return [patch(picture, left, self._line.top - self._step, space=self._space)]


def clock(seconds: float) -> str:
    """Seconds as a clock shows them: 1:05, 2:01:05."""
    minutes, rest = divmod(max(0, math.floor(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
