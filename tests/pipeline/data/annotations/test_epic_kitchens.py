"""EPIC-KITCHENS files: times are the timestamps; wrong ones are refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.annotations import epic_kitchens, training_rows
from pipeline.data.annotations.dataset import Inputs
from pipeline.errors import UserError


def epic_files(
    folder, rows, header="video_id,start_timestamp,stop_timestamp,verb_class,noun_class"
):
    (folder / "verbs.csv").write_text("id,key,instances\n0,take,x\n1,put,y\n")
    (folder / "nouns.csv").write_text("id,key,instances\n0,tap,x\n1,spoon,y\n2,plate,z\n")
    (folder / "val.csv").write_text(header + "\n" + rows)
    return [folder / "val.csv"], [folder / "verbs.csv", folder / "nouns.csv"]


def test_epic_kitchens_times_are_the_timestamps(tmp_path):
    files, classes = epic_files(tmp_path, "P01_01,00:00:01.56,01:02:03.45,1,2\n")
    dataset = epic_kitchens.read(Inputs(files, classes=classes))
    row = dataset.annotations.iloc[0]
    assert (row.start, row.end) == (1.56, 3723.45)
    assert (row.verb, row.noun, row.label) == (1, 2, "1,2")
    assert dataset.num_classes == (2, 3)
    assert dataset.targets(dataset.annotations).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("P01_01,1.5,00:00:02.00,0,0\n", "HH:MM:SS"),
        ("P01_01,00:00:01.00,00:00:02.00,2,0\n", "verb_class"),
        ("P01_01,00:00:01.00,00:00:02.00,0,7\n", "noun_class"),
        ("P01_01,00:00:01.00,00:00:02.00,a,0\n", "'a'"),
        ("", "no annotation"),
    ],
)
def test_wrong_epic_files(tmp_path, rows, said):
    files, classes = epic_files(tmp_path, rows)
    with pytest.raises(UserError, match=said):
        epic_kitchens.read(Inputs(files, classes=classes))


def test_epic_test_timestamps_are_refused(tmp_path):
    files, classes = epic_files(
        tmp_path, "P01_11,00:00:01.00,00:00:02.00\n", "video_id,start_timestamp,stop_timestamp"
    )
    with pytest.raises(UserError, match="test timestamps"):
        epic_kitchens.read(Inputs(files, classes=classes))


def test_real_epic_kitchens(real_data):
    classes = ("ek100/EPIC_100_verb_classes.csv", "ek100/EPIC_100_noun_classes.csv")
    inputs = Inputs(
        [real_data("ek100/EPIC_100_validation.csv")],
        classes=[real_data(name) for name in classes],
        video_info=real_data("ek100/EPIC_100_video_info.csv"),
    )
    dataset = epic_kitchens.read(inputs)
    rows = dataset.annotations
    assert (len(rows), rows["video"].nunique()) == (9668, 138)
    assert (rows["verb"].nunique(), rows["noun"].nunique(), rows["label"].nunique()) == (
        78,
        211,
        1352,
    )
    assert dataset.num_classes == (97, 300)
    assert np.isclose((rows["end"] - rows["start"]).median(), 1.96, atol=0.006)
    _, counts = training_rows(dataset, "validation")
    assert counts["ends after the video's end, cut there"] == 1
    assert counts["overlap another of their video, kept"] > 4000
