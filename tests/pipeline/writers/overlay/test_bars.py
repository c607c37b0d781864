"""Bars in the looks of classes: any size, and hatches that can be distinguished."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.colours import Look
from pipeline.writers.overlay.bars import bar

LOOKS = [Look("#0072b2", "#ffffff", hatch) for hatch in range(6)]


@pytest.mark.parametrize("size", [(40, 16), (16, 16), (40, 8)])
def test_hatches_differ(size):
    drawn = {np.asarray(bar(look, *size)).tobytes() for look in LOOKS}
    assert len(drawn) == len(LOOKS)


@pytest.mark.parametrize("look", LOOKS)
def test_any_size_is_drawn_in_the_colour(look):
    for size in ((1, 1), (1, 30), (30, 1), (2000, 3), (64, 24)):
        assert bar(look, *size).size == size
    picture = np.asarray(bar(look, 64, 24))
    plain = (picture == (0, 0x72, 0xB2, 255)).all(-1)
    assert plain.mean() > 0.5 and plain.all() == (look.hatch == 0)
