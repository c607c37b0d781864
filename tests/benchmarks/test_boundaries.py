"""The table of boundaries on a perfect signal."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks.boundaries import DECODINGS, MOVED, Decoding, boundary_figures, main


def test_figures_of_a_perfect_signal():
    public, half, voted = (
        boundary_figures(decoding, 1.0, 0.0, 12)
        for decoding in (Decoding(0), Decoding(0.5), Decoding(0.5, 0.7))
    )
    assert public["start"] < -0.15 and public["end"] < -0.15
    assert abs(half["start"]) < 0.1 and abs(half["end"]) < 0.1
    assert voted["mAP"] > half["mAP"] > public["mAP"]
    moved = boundary_figures(Decoding(0.5, None, True), 0.0, 0.0, 4)
    assert moved["mAP@0.95"] == pytest.approx(100.0)


def test_the_table_is_printed():
    result = CliRunner().invoke(main, ["--videos", "2"], catch_exceptions=False)
    assert result.output.count("center") == 4
    assert len(result.output.splitlines()) == 4 * (2 + len(DECODINGS)) + 2 * len(MOVED) + 3
