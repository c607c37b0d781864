"""Videos for the tests here, made once; every frame carries its number."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from helpers.numbered_videos import decode_all, encode, even_ticks, nearest, read_number


@pytest.fixture(scope="session")
def frames_kit():
    """The functions of this file, for the tests beside it."""

    class Kit:
        encode = staticmethod(encode)
        even_ticks = staticmethod(even_ticks)
        read_number = staticmethod(read_number)
        decode_all = staticmethod(decode_all)
        nearest = staticmethod(nearest)

    return Kit


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Name -> (path, times [n] the frames were encoded to be shown at, from the first)."""
    folder = tmp_path_factory.mktemp("videos")
    even, rng = even_ticks(90), np.random.default_rng(1)
    uneven = np.cumsum(rng.integers(600, 9000, 90)).tolist()
    uneven = [time - uneven[0] for time in uneven]
    plans = {
        "constant.mp4": (even, {"bf": "0", "g": "30"}),
        "b_frames.mp4": (even, {"bf": "3", "g": "40", "b_strategy": "0"}),
        "b_pyramid_open_gop.mp4": (
            even,
            {"x264-params": "bframes=4:b-adapt=0:b-pyramid=normal:open-gop=1:keyint=24:scenecut=0"},
        ),
        "variable.mp4": (uneven, {"bf": "2", "g": "25"}),
        "variable.mkv": (uneven, {"bf": "2", "g": "25"}),
        "late_start.mp4": (even, {"shift": 180000, "bf": "2", "g": "25"}),
        "late_start.mkv": (even, {"shift": 180000, "bf": "2", "g": "25"}),
        "late_start.ts": (even, {"shift": 900000, "bf": "2", "g": "25"}),
        "cut_by_edit_list.mp4": (even, {"shift": -90000, "bf": "2", "g": "60"}),
        "odd_size.mp4": (even, {"size": (97, 65), "pix_fmt": "yuv444p", "bf": "2"}),
        "fragmented.mp4": (
            even,
            {"container": {"movflags": "frag_keyframe+empty_moov"}, "g": "20", "bf": "2"},
        ),
        "mpeg4.avi": (even, {"codec": "mpeg4", "bf": "2", "g": "20", "tick": Fraction(1, 30)}),
        "hevc.mp4": (
            even,
            {"codec": "libx265", "x265-params": "log-level=none:keyint=30:bframes=3:pools=1"},
        ),
        "vp9.webm": (even, {"codec": "libvpx-vp9", "g": "30", "deadline": "realtime"}),
        "one_frame.mp4": ([0], {}),
    }
    made = {}
    for name, (ticks, options) in plans.items():
        if options.get("tick"):
            ticks = list(range(len(ticks)))
        encode(folder / name, ticks, **options)
        tick = float(options.get("tick", Fraction(1, 90000)))
        times = (np.array(ticks) - ticks[0]) * tick
        made[name] = (folder / name, times)
    return made
