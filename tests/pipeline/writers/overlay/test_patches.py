"""Small pictures mixed into frames: colours come out as they were drawn, what is clear changes nothing."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from pipeline.writers.film.upright import planes
from pipeline.writers.overlay.patches import patch


def noise(size, seed=0):
    frame = av.VideoFrame(*size, "yuv420p")
    random = np.random.default_rng(seed)
    for plane in planes(frame):
        plane[:] = random.integers(16, 236, plane.shape)
    return frame


@pytest.mark.parametrize(("space", "name"), [(1, "ITU709"), (6, "ITU601"), (2, "ITU601")])
@pytest.mark.parametrize(
    "colour", [(230, 159, 0), (0, 114, 178), (255, 255, 255), (0, 0, 0), (255, 0, 255)]
)
def test_colours_are_those_drawn(colour, space, name):
    frame = noise((64, 48))
    patch(Image.new("RGBA", (32, 16), (*colour, 255)), 8, 4, space=space).put(frame)
    frame.color_range = 1
    rgb = frame.reformat(format="rgb24", src_colorspace=name).to_ndarray()
    assert np.abs(rgb[8:16, 12:36].astype(int) - colour).max() <= 3


def test_what_is_clear_stays_bit_by_bit():
    frame, same = noise((64, 48)), noise((64, 48))
    picture = Image.new("RGBA", (64, 48), (255, 0, 0, 0))
    picture.paste((255, 255, 255, 255), (10, 10, 20, 20))
    patch(picture, 0, 0, space=1).put(frame)
    for one, other, unit in zip(planes(frame), planes(same), (1, 2, 2), strict=True):
        changed = np.argwhere(one != other)
        assert changed.min() >= 10 // unit and changed.max() < 20 // unit


def test_half_clear_is_halfway():
    frame = noise((16, 16))
    before = planes(frame)[0].astype(float).copy()
    patch(Image.new("RGBA", (16, 16), (0, 0, 0, 128)), 0, 0, space=1).put(frame)
    assert np.abs(planes(frame)[0] - (before + 16) / 2).max() <= 1.5


@pytest.mark.parametrize(
    ("left", "top", "size"), [(60, 44, (30, 30)), (7, 5, (3, 5)), (62, 46, (1, 1))]
)
def test_odd_places_and_what_lies_outside(left, top, size):
    frame = noise((64, 48))
    made = patch(Image.new("RGBA", size, (255, 255, 255, 255)), left, top, space=1)
    made.put(frame)
    made.put(frame, left=0)
    assert planes(frame)[0][top - top % 2 + 0, 0] == 235
