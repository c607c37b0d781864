"""What people call a class."""

from __future__ import annotations

import pandas as pd
from helpers.hand_made import epic

from pipeline.prediction.found import names_of


def test_verbs_and_nouns_are_named_by_both():
    table = pd.DataFrame({"label": ["1,0", "0,1", "1,0"], "verb": [1, 0, 1], "noun": [0, 1, 0]})
    heads = (("take", "open"), ("door", "pan:lid"))
    assert names_of(heads, table) == {"1,0": "open door", "0,1": "take pan:lid"}
    assert names_of(heads, table.iloc[:0]) == {}


def test_labels_of_one_head_are_their_own_names():
    assert names_of((("pour", "stir"),), pd.DataFrame({"label": ["pour"]})) == {}
    assert epic().name_of("3,17") == "open drawer" and epic().name_of("9,9") == "9,9"
