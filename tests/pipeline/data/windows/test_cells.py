"""The cells of a video are those the configuration gives."""

from __future__ import annotations

import numpy as np
import pytest

from bmn.upper_bound import best_tious
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.windows.cells import video_cells


def test_cells_are_those_of_the_configured_labels():
    for center, last in ((0, 99), (0.5, 100)):
        config = load_config(find_config("hacs"), {"bmn.boundary_center": center})
        assert video_cells(config.extract, config.bmn, 50.0).last_end == last
    config = load_config(find_config("ek100"), {"bmn.boundary_center": 0.5})
    cells = video_cells(config.extract, config.bmn, 64.0)
    assert cells.last_end == cells.length == 240
    assert best_tious(np.array([[60.0, 64.0]]), cells) == pytest.approx(1.0)


@pytest.mark.parametrize("to_end", [False, True])
def test_the_cells_of_a_video_are_those_of_the_windows_it_gets(to_end):
    config = load_config(find_config("ek100"), {"bmn.windows_to_end": to_end})
    cells = video_cells(
        config.extract, config.bmn, 100.0
    )  # 375 positions of 0.267 s, windows of 200 every 100
    assert cells.length == 375
    assert cells.offsets.tolist() == ([0, 100, 200, 300] if to_end else [0, 100, 200])
    rescaled = load_config(
        find_config("hacs"), {"bmn.windows_to_end": to_end, "bmn.duration_scale": 20}
    )
    assert video_cells(rescaled.extract, rescaled.bmn, 100.0).offsets.tolist() == [0]
