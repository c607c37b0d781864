"""Videos for the tests here, made once; every frame carries its number."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from helpers.numbered_videos import VIDEOS, decode_all, encode


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Name -> (path, times [n] the frames were encoded to be shown at, from the first)."""
    folder = tmp_path_factory.mktemp("videos")
    made = {}
    for name, (ticks, options) in VIDEOS.items():
        tick = float(options.get("tick", Fraction(1, 90000)))
        made[name] = (encode(folder / name, ticks, **options), np.array(ticks) * tick)
    return made


@pytest.fixture(scope="session")
def decoded(videos):
    """Name -> (times, frames) of a full sequential decode, made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = decode_all(videos[name][0])
        return made[name]

    return get
