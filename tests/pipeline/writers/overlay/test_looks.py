"""Looks of labels: stable by name, told apart by the colour-blind, readable."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.writers.overlay.looks import HUES, bar, look_of


def test_a_label_has_one_look_for_ever():
    assert look_of("open drawer") == look_of("open drawer")
    assert look_of("open drawer")[:1] == ((240, 228, 66),)  # that of today stays
    looks = {look_of(f"class {number}") for number in range(400)}
    assert {look.fill for look in looks} == set(HUES)
    assert len(looks) == 4 * len(HUES)
    look_of("\udc80")


@pytest.mark.parametrize("fill", HUES)
def test_ink_is_readable_on_its_colour(fill):
    look = next(look for number in range(999) if (look := look_of(str(number))).fill == fill)

    def luminance(colour):
        part = np.array(colour) / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(fill), luminance(look.ink)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_hatches_differ_and_any_size_is_drawn():
    looks = {look.hatch: look for number in range(99) if (look := look_of(str(number)))}
    drawn = {
        np.asarray(bar(look._replace(fill=HUES[0]), 40, 16)).tobytes() for look in looks.values()
    }
    assert len(looks) == len(drawn) == 4
    for width, height in ((1, 1), (1, 30), (30, 1), (2000, 3)):
        assert bar(looks[3], width, height).size == (width, height)
