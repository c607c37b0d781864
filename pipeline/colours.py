"""How a class looks on every page and in every picture: colours that colour-blind people can distinguish, then lightness and hatching."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

# Okabe and Ito's eight, in an order in which neighbours differ most.
HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
PLAIN, LIGHT, DARK = 0, 1, 2
# (lightness, hatch) of the first eight classes, of the next eight, ...: every pair of the two once.
VARIANTS = (
    (PLAIN, 0), (LIGHT, 0), (PLAIN, 1), (LIGHT, 2), (DARK, 0), (DARK, 1),
    (PLAIN, 3), (LIGHT, 4), (PLAIN, 5), (DARK, 3), (LIGHT, 1), (PLAIN, 2),
    (LIGHT, 3), (DARK, 2), (PLAIN, 4), (DARK, 4), (LIGHT, 5), (DARK, 5),
)  # fmt: skip
LOOKS = len(HUES) * len(VARIANTS)


@dataclass(frozen=True)
class Look:
    """Colour of a bar and of the text on it (`#rrggbb`), and its hatch: 0 none, 1 to 5 as common.js draws them."""

    fill: str
    ink: str
    hatch: int


def looks_of(labels: Iterable[str], classes: Iterable[str] = ()) -> dict[str, Look]:
    """The look of each label, the same on every page and in every video.

    It depends on the label's place among `classes`, all the classes of a model, whatever a page shows of them: so
    the first eight differ in hue. A label that is not among them has a look that depends on its name alone.
    """
    places = {name: place for place, name in enumerate(sorted(set(classes)))}
    return {label: look(places.get(label, _by_name(label))) for label in labels}


def look(place: int) -> Look:
    """The look of the class at this place; after `LOOKS` of them they begin again."""
    variant, hue = divmod(place % LOOKS, len(HUES))
    lightness, hatch = VARIANTS[variant]
    fill = _shade(_channels(HUES[hue]), lightness)
    return Look(_hex(fill), "#000000" if _luminance(fill) > 0.179 else "#ffffff", hatch)


def _by_name(label: str) -> int:
    digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % LOOKS


def _channels(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))


def _shade(colour: tuple[float, ...], lightness: int) -> tuple[float, ...]:
    """The colour mixed with white or black; black has no darker one, so its own are two greys."""
    if lightness == PLAIN:
        return colour
    if not any(colour):
        return (0.6,) * 3 if lightness == LIGHT else (0.3,) * 3
    share, other = (0.5, 1.0) if lightness == LIGHT else (0.4, 0.0)
    return tuple((1 - share) * channel + share * other for channel in colour)


def _luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of sRGB channels; above 0.179 black text has the higher contrast."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _hex(colour: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in colour)
