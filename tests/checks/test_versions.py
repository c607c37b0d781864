"""The oldest versions are those that pyproject.toml states."""

from __future__ import annotations

import pytest
from helpers.paths import ROOT

from checks import versions


@pytest.mark.parametrize(
    ("requirement", "pin"),
    [
        ("torch>=2.4", "torch==2.4"),
        ("types-PyYAML >= 6.0.12", "types-PyYAML==6.0.12"),
        ("av>=15,<20", "av==15"),
        ("decord>=0.6; sys_platform == 'win32'", "decord==0.6; sys_platform == 'win32'"),
    ],
)
def test_the_lower_bound_becomes_the_version(requirement, pin):
    assert versions.oldest(requirement) == pin


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy==2.0", "numpy>2"])
def test_without_a_lower_bound_it_is_refused(requirement):
    with pytest.raises(ValueError, match="states no oldest version"):
        versions.oldest(requirement)


def test_every_dependency_states_its_oldest_version():
    stated = versions.requirements(ROOT / "pyproject.toml")
    assert len(stated) > 10
    assert all("==" in versions.oldest(requirement) for requirement in stated)


def test_the_quick_part_is_there():
    assert versions.QUICK
    for path in versions.QUICK:
        assert (ROOT / path).exists(), path


def test_other_words_are_refused(capsys):
    assert versions.main(["latest"]) == versions.main([]) == 2
    assert "newest|oldest" in capsys.readouterr().out
