"""Ids in someone's file, found among those that are known."""

from __future__ import annotations

import unicodedata

import pytest

from evaluation import SubmissionError
from evaluation.video_ids import known_ids, near_miss, resolve_ids

COMPOSED, APART = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))


def test_ids_come_with_and_without_v_and_in_two_unicode_forms():
    assert resolve_ids(["v_a", "b", APART], ["a", "v_b", COMPOSED]) == ["a", "v_b", COMPOSED]
    assert resolve_ids([COMPOSED, f"v_{APART}", "c"], [APART]) == [APART, APART, None]
    assert resolve_ids(["a"], ["v_a", "a"]) == ["a"]  # as it is written, where both are known


def test_two_names_of_one_video_are_refused():
    for names in (["a", "v_a"], [COMPOSED, APART]):
        with pytest.raises(SubmissionError, match="appears twice"):
            known_ids(names, ["a", COMPOSED], "f.json")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("P01_11.MP4", "'P01_11' without the ending"),
        ("p01_11", "'P01_11' but for the spelling"),
        ("P01-11", "'P01_11' but for the spelling"),
        ("v_p01_11", "'P01_11' but for the spelling"),
        ("P01_1", "perhaps 'P01_11'"),
        ("zz", None),
    ],
)
def test_near_misses(name, said):
    assert near_miss(name, ["P01_11", "Q22_99"]) == said
