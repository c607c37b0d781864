"""Bars in the look of a class: its colour, and its hatch on top."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageDraw

from pipeline.colours import Look

NONE, RISING, FALLING, UPRIGHT, GRID, DASHES = range(6)
INK = 110  # of 255: text stays readable on a hatch
_Line = tuple[int, int, int, int]


def bar(look: Look, width: int, height: int) -> Image.Image:
    """A bar of a look, RGBA, in pixels."""
    picture = Image.new("RGBA", (width, height), look.fill)
    if look.hatch == NONE:
        return picture
    step = max(4, height // 2)
    over = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(over)
    ink = 0 if look.ink == "#000000" else 255
    for line in _lines(look.hatch, width, height, step):
        draw.line(line, (ink, ink, ink, INK), max(1, step // 5))
    return Image.alpha_composite(picture, over)


def _lines(hatch: int, width: int, height: int, step: int) -> Iterator[_Line]:
    """The lines of a hatch, from left to right."""
    for number, x in enumerate(range(-height, width + step, step)):
        if hatch == RISING:
            yield x, height, x + height, 0
        elif hatch == FALLING:
            yield x, 0, x + height, height
        elif hatch in (UPRIGHT, GRID):
            yield x, 0, x, height
        else:
            y = height // 3 if number % 2 else 2 * height // 3
            yield x, y, x + step // 2, y
    if hatch == GRID:
        yield 0, height // 2, width, height // 2
