"""The worked examples of docs/explanation/scale.md: they follow from the rates beside them, and the script runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.scale import EK100, GPU, HACS, SETS, main, tables

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "scale.md"


def test_the_tables_of_the_document_follow_from_its_rates():
    text = DOCUMENT.read_text("utf-8")
    clips = re.findall(r"\| a clip, 8 x (\d+) x (\d+), ([a-z0-9, ]+?) +\| ([\d.]+) ", text)
    network = {((int(h), int(w)), name): float(taken) for h, w, name, taken in clips}
    decode = [
        float(taken) for taken in re.findall(r"\| decoding a second at [^|]*\| ([\d.]+)", text)
    ]
    assert len(network) == 6 and len(decode) == 2
    for table in tables(network, decode):
        assert table in text


def test_clips_are_counted_as_the_grid_lays_them():
    for data in SETS:
        exact = data.grid.num_clips(data.seconds)
        assert data.clips == pytest.approx(exact, rel=1e-5)
    assert (
        SETS[0].grid is EK100
        and SETS[1].grid is HACS
        and f"{GPU:,.0f} clips" in DOCUMENT.read_text()
    )


def test_the_script_prints_both_tables():
    result = CliRunner().invoke(main, ["--small"])
    assert result.exit_code == 0, result.output
    assert "seconds of one core" in result.output and "2.7 million" in result.output
