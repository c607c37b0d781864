"""The settings of a grid and of a draw."""

from __future__ import annotations

import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UsageError
from pipeline.tools.sweep.axes import parse_axes
from pipeline.tools.sweep.settings import settings_to_try

DEMO = find_config("demo")
CONFIG = load_config(DEMO).detection()


def tried(*words: str, trials: int | None = None, seed: int = 0):
    axes = parse_axes(words, DEMO)
    return settings_to_try(axes, CONFIG, trials=trials, seed=seed)


def test_a_grid_is_all_combinations_and_the_present_setting():
    found = tried("proposals.alpha=0.3,0.5", "classify.top=1,2")
    assert [one.values for one in found] == [(0.3, 1), (0.3, 2), (0.5, 1), (0.5, 2), (0.4, 2)]
    assert [one.is_of(CONFIG) for one in found] == [False] * 4 + [True]
    for one in found:
        assert (one.finding.alpha, one.classify.top) == one.values
        same = one.finding.model_copy(update={"alpha": CONFIG.proposals.alpha})
        assert same == CONFIG.proposals
    inside = tried("proposals.alpha=0.3,0.4", "classify.top=1,2")
    assert len(inside) == 4 and inside[3].is_of(CONFIG)


def test_draws_are_different_ones_within_the_ranges_and_by_the_seed():
    words = ("proposals.alpha=0.2..0.8", "classify.positions=1..6", "proposals.voting=null,0.5")
    found = tried(*words, trials=40, seed=3)
    drawn = [one.values for one in found][:40]
    assert len(found) == 41 and len(set(drawn)) == 40 and found[40].is_of(CONFIG)
    alphas, positions, votings = map(set, zip(*drawn, strict=True))
    assert all(0.2 <= value <= 0.8 and float(f"{value:.3g}") == value for value in alphas)
    assert max(alphas) - min(alphas) > 0.4 and votings == {None, 0.5}
    assert positions == {1, 2, 3, 4, 5, 6} and all(type(value) is int for value in positions)
    assert found == tried(*words, trials=40, seed=3) != tried(*words, trials=40, seed=4)


def test_no_more_are_drawn_than_there_are():
    grid = tried("proposals.alpha=0.1,0.2,0.4", "classify.top=1,2")
    assert tried("proposals.alpha=0.1,0.2,0.4", "classify.top=1,2", trials=50) == grid
    few = tried("proposals.alpha=0.1,0.2,0.4", "classify.top=1,2", trials=4)
    assert {one.values for one in few} <= {one.values for one in grid} and len(few) in {4, 5}
    assert len(tried("classify.top=1..3", trials=50)) == 3


def test_a_range_needs_a_number_of_draws_and_a_grid_ends_somewhere():
    with pytest.raises(
        UsageError, match=r"proposals.alpha=0.2..0.8 is a range: set with --trials N"
    ):
        tried("proposals.alpha=0.2..0.8")
    many = ",".join(str(n) for n in range(1, 102))
    with pytest.raises(UsageError, match="10201 settings"):
        tried(f"proposals.count={many}", f"classify.top={many}")
