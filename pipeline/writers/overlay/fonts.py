"""A font for a text: DejaVu Sans, or, for scripts it lacks, one of the machine's that has them."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont
_LAST_RESORT = "last resort"  # draws a box for every letter
LONGEST = 200  # letters of a text that is fitted


def font_for(text: str, size: int) -> Font:
    """A font of `size` pixels for a text; letters that no font has are drawn as boxes."""
    lacking = frozenset(letter for letter in text if not letter.isspace()) - _letters(_usual())
    path = _usual() if not lacking else _with(lacking)
    return _font(path, size)


def fitted(text: str, font: Font, width: float) -> str:
    """The text, or as much of it as fits into `width` pixels with an ellipsis; empty where nothing does."""
    if len(text) <= LONGEST and font.getlength(text) <= width:
        return text
    low, high = 0, min(len(text), LONGEST)
    while low < high:  # the most letters that fit
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if _cut_length(text, middle, font) <= width else (low, middle - 1)
        )
    return f"{text[:low].rstrip()}…" if low else ""


def _cut_length(text: str, letters: int, font: Font) -> float:
    return font.getlength(f"{text[:letters].rstrip()}…")


@cache
def _usual() -> str:
    import matplotlib  # which brings it along

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@cache
def _font(path: str, size: int) -> Font:
    return ImageFont.truetype(path, size)


@cache
def _letters(path: str) -> frozenset[str]:
    """The letters a font has; none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        ImageFont.truetype(path, 20)  # some have pictures of one size
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@cache
def _with(lacking: frozenset[str]) -> str:
    """A font of the machine that has the letters; the usual one where there is none."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it says when it looks
    from matplotlib.font_manager import fontManager

    plain = sorted(fontManager.ttflist, key=lambda one: (one.style != "normal", one.weight != 400))
    for one in plain:
        if _LAST_RESORT not in one.name.lower() and lacking <= _letters(one.fname):
            return str(one.fname)
    return _usual()
