"""The time line of a video in its pictures: a bar a detection, those that run outlined, and a mark of the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from pipeline.colours import Look
from pipeline.writers.overlay.bars import bar
from pipeline.writers.overlay.fonts import fitted, font_for

PLATE = (0, 0, 0, 210)
EDGE, RUNNING = (150, 150, 150, 255), (255, 255, 255, 255)
LANES = 3  # in which detections that overlap lie
LANE_SHARE = 45  # of the short side, one part is the height of a lane
SMALLEST_LANE, LARGEST_LANE = 4, 64
READABLE = 9  # pixels; smaller text is none
MOST = 0.25  # of the height


class Part(NamedTuple):
    """A part of the time line, in seconds, with its name and look."""

    start: float
    end: float
    name: str
    look: Look


class Timeline:
    """The `parts`, the most important first, of a video of `size` pixels and `duration` seconds.

    The first ones have a lane where nothing else is; others are drawn behind them in the last lane. A part has its name in
    it where that fits.
    """

    def __init__(self, size: tuple[int, int], duration: float, parts: Sequence[Part]) -> None:
        self._width, self._height = size
        self._duration = duration
        side = min(max(min(size) // LANE_SHARE, SMALLEST_LANE), LARGEST_LANE)
        self._gap = max(1, side // 6)
        self._lane = side
        room = max(1, int(MOST * self._height) // (side + self._gap))
        lanes, self._behind = _in_lanes(parts, min(LANES, room))
        used = max(lanes, default=0) + 1
        height = used * (side + self._gap) + self._gap
        self.top = max(0, self._height - height - height % 2)
        self._boxes = [self._box(part, lane) for part, lane in zip(parts, lanes, strict=True)]
        self._base = Image.new("RGBA", (self._width, self._height - self.top), PLATE)
        order = sorted(range(len(parts)), key=lambda number: (number not in self._behind, -number))
        for number in order:
            self._draw(self._base, self._boxes[number], parts[number])

    def picture(self, running: Sequence[int]) -> Image.Image:
        """The time line RGBA, with these parts outlined, where they have a lane."""
        picture = self._base.copy()
        draw = ImageDraw.Draw(picture)
        for number in running:
            if number in self._behind:
                continue
            left, top, right, bottom = self._boxes[number]
            draw.rectangle((left, top, right - 1, bottom - 1), outline=RUNNING)
        return picture

    def mark(self) -> Image.Image:
        """The mark of the time, RGBA: a white line between black ones."""
        thick = max(2, self._lane // 8)
        picture = Image.new("RGBA", (3 * thick + thick % 2, self._base.height), (0, 0, 0, 255))
        picture.paste(RUNNING, (thick, 0, 2 * thick, picture.height))
        return picture

    def place(self, seconds: float) -> int:
        """Where the mark's left edge lies at a time (even)."""
        thick = max(2, self._lane // 8)
        most = max(0, self._width - 3 * thick - thick % 2)
        left = min(max(0, self._across(seconds) - 3 * thick // 2), most)
        return left - left % 2

    def _across(self, seconds: float) -> int:
        share = seconds / self._duration if self._duration > 0 else 0.0
        return round(self._width * min(max(0.0, share if math.isfinite(share) else 0.0), 1.0))

    def _box(self, part: Part, lane: int) -> tuple[int, int, int, int]:
        top = self._gap + lane * (self._lane + self._gap)
        left = min(self._across(part.start), self._width - 1)
        return left, top, max(left + 1, self._across(part.end)), top + self._lane

    def _draw(self, picture: Image.Image, box: tuple[int, int, int, int], part: Part) -> None:
        left, top, right, bottom = box
        piece = bar(part.look, right - left, bottom - top)
        draw = ImageDraw.Draw(piece)
        if piece.width > 2:
            draw.rectangle((0, 0, piece.width - 1, piece.height - 1), outline=EDGE)
        size = round(0.8 * self._lane)
        if size >= READABLE:
            font = font_for(part.name, size)
            text = fitted(part.name, font, piece.width - size)
            if len(text) > 2 or text == part.name:
                where = (size // 2, piece.height / 2)
                draw.text(where, text, part.look.ink, font, anchor="lm")
        picture.paste(piece, (left, top))


def _in_lanes(parts: Sequence[Part], lanes: int) -> tuple[list[int], set[int]]:
    """The lane of each part, and which of them have none of their own."""
    taken: list[list[Part]] = [[] for _ in range(lanes)]
    places: list[int] = []
    behind: set[int] = set()
    for number, part in enumerate(parts):
        for lane, others in enumerate(taken):
            if not any(part.start < other.end and other.start < part.end for other in others):
                others.append(part)
                places.append(lane)
                break
        else:
            behind.add(number)
            places.append(lanes - 1)
    return places, behind
