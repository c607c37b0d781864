"""Names as people type them become classes of the heads."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.tools.explain.targets import Target, targets_named, targets_of_label, with_against

ONE = (("dive", "jump", "a,b"),)
TWO = (("open", "close"), ("drawer", "cup", "open"))


def test_labels_of_detections():
    assert targets_of_label(ONE, "jump") == (Target(0, 1, "jump"),)
    assert targets_of_label(TWO, "1,2") == (Target(0, 1, "close"), Target(1, 2, "open"))


@pytest.mark.parametrize(
    ("heads", "name", "keys"),
    [
        (ONE, "jump", [(0, 1)]),
        (ONE, "a,b", [(0, 2)]),
        (ONE, "dive,jump", [(0, 0), (0, 1)]),
        (TWO, "close", [(0, 1)]),
        (TWO, "cup", [(1, 1)]),
        (TWO, "open", [(0, 0), (1, 2)]),
        (TWO, "open cup", [(0, 0), (1, 1)]),
        (TWO, "1,0", [(0, 1), (1, 0)]),
    ],
)
def test_names(heads, name, keys):
    found = targets_named(heads, [name], against=True)
    assert [target.key for target in found] == keys and all(one.against for one in found)


def test_a_class_is_not_held_against_itself():
    shown = targets_of_label(TWO, "0,1")
    against = targets_named(TWO, ["open drawer"], against=True)
    assert with_against(shown, against) == (*shown, Target(1, 0, "drawer", against=True))


def test_unknown_names():
    for heads in (ONE, TWO):
        with pytest.raises(UsageError, match="no such class"):
            targets_named(heads, ["walk"], against=False)
