"""A class looks the same on every page, and unlike the others as far as that goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.colours import HUES, LOOKS, look, looks_of


def test_the_first_eight_are_those_of_okabe_and_ito():
    published = {
        "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    }  # fmt: skip
    assert {look(place).fill for place in range(8)} == published == set(HUES)
    assert {look(place).hatch for place in range(8)} == {0}


def test_every_look_is_another():
    assert len({look(place) for place in range(LOOKS)}) == LOOKS == 144
    assert look(LOOKS + 3) == look(3)


@given(st.sets(st.text(max_size=5)), st.sets(st.text(max_size=5)), st.text(max_size=5))
def test_a_class_looks_the_same_beside_any_others(some, others, label):
    assert looks_of({*some, label})[label] == looks_of({*others, label})[label]
    classes = [*some, label]
    assert looks_of([label], classes) == {
        label: looks_of(others | {label}, reversed(classes))[label]
    }


def test_classes_of_a_model_differ_whichever_a_page_shows():
    classes = [f"class {number}" for number in range(100)]
    assert len(set(looks_of(classes, classes).values())) == 100
    assert looks_of(["class 7"], classes)["class 7"] == looks_of(classes, classes)["class 7"]


def test_a_label_that_is_no_text_of_unicode_has_a_look():
    assert looks_of(["\udcff"])["\udcff"].fill.startswith("#")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("place", range(LOOKS))
def test_text_on_a_bar_can_be_read(place):
    one = look(place)
    light, dark = sorted((luminance(one.fill), luminance(one.ink)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG's AA
