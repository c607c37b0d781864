"""What the doctor says of ActionFormer's positions, levels and samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.tools.doctor.findings import NOTE, OK, WRONG
from pipeline.tools.doctor.pyramid import fit_of, pyramid_findings

SECONDS = {"a": 60.0, "b": 30.0}


def config(**keys):
    own = {f"actionformer.{name}": value for name, value in keys.items()}
    small = {
        "detector.name": "actionformer",
        "actionformer.levels": 4,
        "actionformer.max_length": 256,
    }
    return load_config(find_config("demo"), {**small, **own}, quiet=True).detection()


def table(*segments):
    rows = [(video, start, end) for video, start, end in segments]
    return pd.DataFrame(rows, columns=["video", "start", "end"])


def look(rows, *, trains=True, **keys):
    return pyramid_findings(config(**keys), "segments", rows, SECONDS, trains=trains)


GOOD = table(("a", 1.0, 4.0), ("a", 10.0, 40.0), ("b", 5.0, 9.0))


def test_what_fits_is_right():
    found = look(GOOD)
    assert all(finding.state == OK for finding in found if "clip" not in finding.detail)
    assert found[-3].numbers == {"learnable": 1.0, "learnt": 1.0}
    assert "the finest first: 0, 2, 0, 1" in found[-2].detail and found[-2].check == "levels"
    assert "max_length is 256" in found[-1].detail and found[-1].numbers["longest"] == 225
    assert [f.detail for f in look(GOOD, trains=False)] == [f.detail for f in found[:-4]] + [
        found[-3].detail
    ]


def test_segments_between_positions_and_beyond_the_last_range():
    between = table(*[("a", 4 / 15 * i + 0.14, 4 / 15 * i + 0.19) for i in range(6)], ("b", 1, 9))
    found = look(between)
    assert [len(finding.items) for finding in found[:4]] == [6, 6, 0, 6]
    assert found[5].state == WRONG and "14.3 %" in found[5].detail
    ranges = [[0, 4], [4, 8], [8, 12], [12, 16]]
    found = look(GOOD, ranges=ranges)
    assert found[2].items == ("a [10.00, 40.00]",) and found[2].state == NOTE
    assert found[3].items == found[2].items


def test_a_long_segment_may_lose_its_points_to_short_ones():
    short = [("a", start, start + 1.0) for start in np.arange(19.0, 31.0, 1.0)]
    found = look(table(("a", 24.0, 26.0), *short, ("a", 23.9, 26.1)))
    fit = fit_of(config(), table(("a", 24.0, 26.0), *short, ("a", 23.9, 26.1)), SECONDS)
    assert fit.possible.min() > 0 and fit.actual.min() == 0
    assert len(found[4].items) == int((fit.actual == 0).sum()) > 0


@pytest.mark.parametrize(
    ("keys", "state", "said"),
    [
        ({"max_length": 64}, NOTE, "actionformer.feature_step=2 brings them into one"),
        ({"max_length": 8}, NOTE, "actionformer.max_length=232 holds the longest video"),
        ({"max_length": 120}, OK, "of 1 of 2 an epoch trains on only a part"),
        ({"max_length": 2304}, NOTE, "actionformer.max_length=232 holds them all"),
    ],
)
def test_lengths_of_videos_and_samples(keys, state, said):
    found = look(GOOD, **keys)[-1]
    assert (found.check, found.state) == ("positions", state) and said in found.detail


def test_rescaled_videos_have_one_length():
    found = look(GOOD, mode="rescale", max_length=64)
    assert [finding.check for finding in found[-2:]] == ["segments", "levels"]
    fit = fit_of(config(mode="rescale", max_length=64), GOOD, SECONDS)
    assert set(fit.lengths.values()) == {64}
    np.testing.assert_allclose(fit.position, [60 / 64, 60 / 64, 30 / 64])


@pytest.mark.parametrize(
    ("levels", "said"),
    [(2, "actionformer.levels=5"), (4, ""), (6, ""), (7, "actionformer.levels=5")],
)
def test_levels_that_are_too_few_or_too_many(levels, said):
    found = next(f for f in look(GOOD, levels=levels, max_length=256) if f.check == "levels")
    assert (found.state == NOTE) == bool(said) and said in found.detail
    assert sum(found.numbers.values()) == len(GOOD)
    ranges = [[4 * level, 4 * level + 4] for level in range(levels)]
    own = next(f for f in look(GOOD, levels=levels, ranges=ranges) if f.check == "levels")
    assert own.state == OK
