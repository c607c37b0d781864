"""A detector that is called with videos finds what the stages find, and says what it cannot read."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import tada_loc
from pipeline.errors import UserError

ORDER = ["video", "start", "end", "label"]


@pytest.fixture(scope="module")
def detector(whole):
    return tada_loc.load(whole, device="cpu")


@pytest.fixture(scope="module")
def videos(data):
    return sorted((data / "videos").glob("validation_*"))


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(table).sort_values(ORDER, ignore_index=True)


def test_a_list_gives_the_detections_of_the_run_to_the_last_digit(detector, videos, whole):
    found = detector(videos)
    assert_frame_equal(in_order(found), in_order(tada_loc.Run(whole).detections), check_exact=True)
    one = found.videos["validation_000"]
    assert len(one.curves.times) == len(one.curves.start) > 0 and one.source == videos[0]
    assert (
        found["score"].tolist()
        == found.sort_values(["video", "score"], ascending=[True, False], kind="stable")[
            "score"
        ].tolist()
    )


def test_one_file_a_folder_and_a_pattern(detector, videos, tmp_path):
    for video in videos:
        shutil.copy(video, tmp_path)
    everything = detector(tmp_path)
    assert list(everything.videos) == ["validation_000", "validation_001"]
    assert_frame_equal(in_order(detector(f"{tmp_path}/*")), in_order(everything))
    assert_frame_equal(
        in_order(detector(str(videos[0]))), in_order(everything.of("validation_000"))
    )


def test_threshold_top_and_classes(detector, videos, capsys):
    everything = detector(videos[0])
    least = float(everything["score"].median())
    some = detector(videos[0], threshold=least, classes=["grow"], top=5)
    wanted = everything[(everything["score"] >= least) & (everything["label"] == "grow")].head(5)
    assert_frame_equal(
        pd.DataFrame(some).reset_index(drop=True), pd.DataFrame(wanted).reset_index(drop=True)
    )
    assert_frame_equal(
        in_order(detector(videos[0], classes="grow,shrink")),
        in_order(everything[everything["label"].isin(["grow", "shrink"])]),
    )
    capsys.readouterr()
    none = detector(videos[0], threshold=1.0)
    best = float(everything["score"].max())
    assert (
        f"reaches the threshold of 1; the best of {len(everything)} has a score of {best:.2g}"
        in capsys.readouterr().err
    )
    assert len(none) == 0 and list(none.columns) == list(everything.columns)
    assert "validation_000" in repr(none) and none.videos["validation_000"].duration == 14


def test_features_are_those_of_the_run(detector, videos, whole):
    features = detector.features(videos[0])
    stored = tada_loc.Run(whole).features("validation_000")
    assert np.asarray(features).dtype == np.float32
    assert np.array_equal(np.asarray(features), np.asarray(stored))
    assert np.array_equal(features.times, stored.times)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": "grov"}, "did you mean 'grow'"),
        ({"classes": ["nothing"]}, "no such class"),
        ({"threshold": 30}, "threshold 30"),
        ({"threshold": "high"}, "threshold high"),
        ({"top": 0}, "top 0"),
        ({"top": 2.5}, "top 2.5"),
    ],
)
def test_wrong_wishes_are_one_line_before_any_work(options, said, detector):
    with pytest.raises(UserError, match=said):
        detector("no/such.mp4", **options)


def test_what_cannot_be_read_is_one_line_with_its_name(detector, videos, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(UserError, match=r"no/such\.mp4"):
        detector("no/such.mp4")
    with pytest.raises(UserError, match="no video"):
        detector([])
    for ask in (detector, detector.features):
        with pytest.raises(UserError, match=r"broken\.mp4") as refused:
            ask(broken)
        assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match=r"broken\.mp4"):
        detector([videos[0], broken])
    capsys.readouterr()
    found = detector([broken, videos[0]], allow_failures=1)
    assert list(found.videos) == ["validation_000"]
    said = capsys.readouterr().err
    assert "broken.mp4" in said and "1 of 2 videos left out: broken" in said
    assert len(detector([broken], allow_failures=1)) == 0
    with pytest.raises(UserError, match="these are 2"):
        detector.features(videos[0].parent / "validation_*")


def test_it_says_what_it_is(detector, whole):
    assert detector.classes == ("grow", "shrink", "slide left", "slide right", "turn clockwise")
    assert repr(detector).startswith("<tada_loc.Detector whole: tada2d, 5 classes, mAP ")
    assert detector.info["name"] == "whole" and detector.info["network"]["name"] == "tada2d"


def test_a_model_file_finds_the_same_without_the_run(detector, videos, whole, tmp_path):
    from pipeline.model_files.writing import write_model
    from pipeline.prediction.from_run import model_of_run

    write_model(model_of_run(whole), tmp_path / "own.tada")
    other = tada_loc.load(str(tmp_path / "own.tada"), device="cpu")
    assert_frame_equal(in_order(other(videos[0])), in_order(detector(videos[0])), check_exact=True)


def test_no_model_and_no_device_are_one_line(whole, tmp_path):
    for path in (tmp_path, tmp_path / "own.tada"):
        with pytest.raises(UserError) as refused:
            tada_loc.load(path)
        assert "\n" not in str(refused.value) and str(path) in str(refused.value)
    with pytest.raises(UserError, match="device"):
        tada_loc.load(whole, device="tpu9")
    with pytest.raises(UserError, match="precision"):
        tada_loc.load(whole, device="cpu", precision="float8")
