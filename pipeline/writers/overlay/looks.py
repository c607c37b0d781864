"""How a label looks in a picture: one of Okabe and Ito's eight colours, and a hatch, by its name alone."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

# Okabe and Ito's eight, which the colour-blind can tell apart
HUES: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (0, 0, 0),
)
PLAIN, RISING, FALLING, DOTS = range(4)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
_BRIGHT = 0.179  # relative luminance above which black text has the higher contrast


class Look(NamedTuple):
    """The colour of a bar, that of text and of the hatch on it, and the hatch."""

    fill: Colour
    ink: Colour
    hatch: int


def look_of(label: str) -> Look:
    """The look of a label, the same in every video."""
    digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).digest()
    hatch, hue = divmod(int.from_bytes(digest[:8], "big") % (4 * len(HUES)), len(HUES))
    fill = HUES[hue]
    return Look(fill, BLACK if _luminance(fill) > _BRIGHT else WHITE, hatch)


def bar(look: Look, width: int, height: int) -> Image.Image:
    """A bar of a look, RGBA."""
    picture = Image.new("RGBA", (width, height), (*look.fill, 255))
    if look.hatch == PLAIN:
        return picture
    step = max(4, height // 2)
    over = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(over)
    ink = (*look.ink, 110)  # a label stays readable on it
    thick = max(1, step // 5)
    if look.hatch == DOTS:
        for x in range(step // 2, width, step):
            draw.ellipse((x - thick, height // 2 - thick, x + thick, height // 2 + thick), ink)
    else:
        for x in range(-height, width, step):
            ends = (
                (x, height, x + height, 0) if look.hatch == RISING else (x, 0, x + height, height)
            )
            draw.line(ends, ink, thick)
    return Image.alpha_composite(picture, over)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        value / 3294.6 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
