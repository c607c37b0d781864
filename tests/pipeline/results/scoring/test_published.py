"""Published figures stand on the data set they are of, by its name and its classes, and on no other."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.annotations import Dataset
from pipeline.results.scoring import map_table
from pipeline.results.scoring.published import _CLASSES, class_digest, withheld


def dataset(*heads):
    return Dataset(pd.DataFrame(), pd.DataFrame(), heads, Counter())


def said(config, heads, **overrides):
    settings = load_config(find_config(config), overrides)
    return withheld(settings.eval, settings.dataset, dataset(*heads))


def numbered(*sizes):
    return tuple(tuple(f"class {number}" for number in range(size)) for size in sizes)


def test_by_the_number_of_verbs_and_nouns():
    assert said("ek100", numbered(97, 300)) is None
    line = said("ek100", numbered(97, 299))
    assert line.endswith("EPIC-KITCHENS-100 has 97 verbs and 300 nouns, this data set 97 and 299")
    assert said("ek100", numbered(97)) is not None


@pytest.mark.parametrize("name", ["hacs", "hacs_slowfast_tada", "thumos14", "activitynet"])
def test_others_by_the_names_of_their_classes(name):
    known = _CLASSES["THUMOS14" if name == "thumos14" else "HACS Segments"]
    assert f"has {known[0]} classes, these annotations have 3" in said(name, numbered(3))
    assert "these annotations have others" in said(name, numbered(known[0]))


def test_the_classes_are_those_of_the_real_files(real_data):
    names = real_data("hacs", "action_name.csv").read_text().splitlines()[1:]
    assert class_digest(names) == class_digest(names[::-1]) == _CLASSES["HACS Segments"][1]
    assert said("hacs", (tuple(names),)) is None and said("activitynet", (tuple(names),)) is None
    assert said("hacs", (tuple(names[1:]),)) is not None


def test_by_the_name_of_the_data_set():
    assert said("ek100", numbered(97, 300), **{"dataset.name": "EPIC-KITCHENS-100"}) is None
    line = said("ek100", numbered(97, 300), **{"dataset.name": "kitchen"})
    assert line.endswith("they are of EPIC-KITCHENS-100, dataset.name is 'kitchen'")
    # the name of a benchmark does not make another's figures its own
    names = {"dataset.name": "thumos14"}
    assert "they are of HACS Segments" in said("hacs", numbered(20), **names)
    assert "is not a benchmark known here" in said(
        "hacs", numbered(2), **{"eval.paper_dataset": "mine"}
    )
    assert said("demo", numbered(2)) is None  # has none


def test_named_rows_stand_below_ours_where_thresholds_agree():
    settings = load_config(find_config("thumos14")).eval

    def rows(iou, **more):
        results = {"iou": iou, "tasks": {"mAP": {"map": [1.0] * len(iou), "average": 1.0}}}
        return map_table(results, settings, **more).splitlines()

    same = rows([0.3, 0.4, 0.5, 0.6, 0.7])
    figures = ["82.13", "77.80", "70.95", "59.40", "43.87", "66.83"]
    assert same[2].startswith("ActionFormer, I3D features ") and same[2].split()[-6:] == figures
    figures = ["60.51", "56.03", "47.56", "38.23", "28.64", "46.19"]
    assert same[4].startswith("BMN, TSN features (OpenTAD) ") and same[4].split()[-6:] == figures
    assert len(same) == 6 and len(rows([0.3, 0.4, 0.5, 0.6, 0.7], published=False)) == 2
    assert rows([0.5])[5].split()[-2:] == ["54.54", "-"] and len(rows([0.1])) == 2
