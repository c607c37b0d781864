"""A run read in a notebook: as it was made, without the videos, and never written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers.small_runs import without_stages
from pandas.testing import assert_frame_equal

import tada_loc
from feature_extraction.store import read_features
from pipeline.configuration.reading import load_config
from pipeline.errors import UserError
from pipeline.results.tables import read_given

VIDEOS = ["validation_000", "validation_001"]


@pytest.fixture
def copied(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "own")


def state_of(folder) -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")
    )


def test_it_is_what_the_run_has_to_the_last_digit(whole, data):
    run = tada_loc.Run(whole)
    assert_frame_equal(
        pd.DataFrame(run.detections),
        read_given(whole / "classify/detections.csv"),
        check_exact=True,
    )
    assert_frame_equal(
        run.proposals, read_given(whole / "bmn/proposals/proposals.csv"), check_exact=True
    )
    assert run.results == json.loads((whole / "eval/results.json").read_text())
    given = pd.read_csv(data / "annotations.csv")
    assert len(run.annotations) == len(given) and set(run.annotations["subset"]) == {
        "training",
        "validation",
    }
    assert list(run.annotations.columns) == ["video", "subset", "start", "end", "label"]
    assert set(run.videos["video"]) == set(given["video"])
    assert run.config.extract.fps == load_config(whole / "config.yaml").extract.fps
    assert run.folder == whole


def test_features_are_an_array_that_knows_its_times(whole):
    features = tada_loc.Run(str(whole)).features("validation_000")
    array, _ = read_features(whole / "extract/features/validation_000.h5")
    assert np.asarray(features).dtype == np.float32 == features.dtype
    assert np.array_equal(np.asarray(features), array) and features.shape == array.shape
    assert len(features.times) == len(features) == features.shape[0] and features.ndim == 2
    assert np.array_equal(features[3:9].times, features.times[3:9])
    assert np.array_equal(np.asarray(features[3:9]), array[3:9])
    assert np.array_equal(np.mean(features, axis=0), array.mean(axis=0))
    assert np.asarray(features, dtype=np.float64).dtype == np.float64
    assert np.asarray(features) is features.array and np.array(features) is not features.array
    assert np.array_equal(features[-1], array[-1]) and np.array_equal(features[::2], array[::2])
    assert len(features[5:3]) == len(features[5:3].times) == 0


def test_detections_know_length_proposals_truth_and_place_of_each_video(whole, data):
    found = tada_loc.Run(whole).detections
    assert list(found.videos) == VIDEOS
    one = found.videos[VIDEOS[0]]
    assert one.duration == pytest.approx(14.1, abs=0.2) and one.source.parent == data / "videos"
    assert len(one.proposals) and set(one.proposals["video"]) == {VIDEOS[0]}
    assert len(one.truth) and len(one.classes) == 5 and one.model == "whole"
    assert len(found.plot()) == 2


def test_nothing_is_written_and_no_video_is_needed(copied, data, tmp_path, monkeypatch):
    before = state_of(copied)
    whole = tada_loc.Run(copied).detections
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(text.replace(str(data / "videos"), str(tmp_path / "gone")))
    run = tada_loc.Run(copied)
    assert_frame_equal(pd.DataFrame(run.detections), pd.DataFrame(whole))
    assert run.detections.videos[VIDEOS[0]].duration == whole.videos[VIDEOS[0]].duration
    assert len(run.features(VIDEOS[0])) and run.results and len(run.proposals)
    (copied / "config.yaml").write_text(text)
    assert [row[::2] for row in state_of(copied)] == [row[::2] for row in before]


def test_without_annotations_it_reads_what_was_made_and_says_so(copied, data, tmp_path, capsys):
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(
        text.replace(str(data / "annotations.csv"), str(tmp_path / "gone.csv"))
    )
    run = tada_loc.Run(copied)
    found = run.detections
    assert len(found) == 400 and found.videos[VIDEOS[0]].duration == pytest.approx(14.1, abs=0.2)
    assert found.videos[VIDEOS[0]].truth is None
    assert len(run.proposals) and run.results and len(run.features(VIDEOS[0]))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "gone.csv" in said[0] and "read without annotations" in said[0]
    with pytest.raises(UserError, match=r"gone\.csv"):
        _ = run.annotations


@pytest.mark.parametrize(
    ("first", "asked", "said"),
    [
        ("eval", "results", "eval has not been done"),
        ("classify", "detections", "classify has not been done"),
        ("bmn/proposals", "proposals", "proposals has not been done"),
        ("bmn/proposals", "detections", "classify has not been done"),
    ],
)
def test_what_was_not_made_is_said_in_one_line(first, asked, said, whole, tmp_path):
    without_stages(whole, tmp_path / "own", first)
    with pytest.raises(UserError, match=f"{said}; run `tada-loc run --run-dir") as refused:
        getattr(tada_loc.Run(tmp_path / "own"), asked)
    assert "\n" not in str(refused.value)


def test_features_that_are_not_there(whole, tmp_path):
    run = tada_loc.Run(whole)
    with pytest.raises(UserError, match=r"video 'nope' is not here; the videos are training_000"):
        run.features("nope")
    without_stages(whole, tmp_path / "own", "extract")
    with pytest.raises(UserError, match="extract"):
        tada_loc.Run(tmp_path / "own").features("validation_000")


def test_no_run_is_one_line(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"no config\.yaml") as refused:
            tada_loc.Run(folder)
        assert "\n" not in str(refused.value)


def test_a_table_that_is_not_what_was_written_is_refused(copied):
    path = copied / "classify/detections.csv"
    path.write_text(path.read_text().replace("0.0", "0.1", 1))
    with pytest.raises(UserError, match=r"detections\.csv is not what was written"):
        _ = tada_loc.Run(copied).detections


def test_what_is_not_current_is_said(copied, capsys):
    path = copied / "config.yaml"
    path.write_text(path.read_text().replace("alpha: 0.4", "alpha: 0.5"))
    assert "alpha: 0.5" in path.read_text()
    assert len(tada_loc.Run(copied).detections) == 400
    assert "is not current (" in capsys.readouterr().err


def test_it_shows_how_far_it_is_and_whatever_is_damaged(copied):
    assert repr(tada_loc.Run(copied)).endswith(
        "tada2d; done: finetune, extract, bmn, proposals, classify, eval>"
    )
    (copied / "bmn/manifest.json").write_text("{")
    assert "done: finetune, extract, proposals" in repr(tada_loc.Run(copied))
