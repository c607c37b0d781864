"""extract.crop=center from videos to detections, and feature files that are of the other crop."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from helpers.seen_videos import encode
from helpers.small_runs import error_line, options, tada

from feature_extraction import FeatureMeta, feature_path, read_features, write_features
from feature_extraction.store import FeatureFileError
from feature_extraction.video.opening import open_video
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.geometry import extraction_view
from pipeline.data.videos.identity import identify
from pipeline.errors import UserError
from pipeline.runs.inputs.fields import TRAINED_ON, short
from pipeline.runs.run import Run

FULL = ("extract.short_side=48",)  # the videos' own: nothing is resized
CENTER = (*FULL, "extract.crop=center")
VIDEO = ("classify.source=video",)


@pytest.fixture(scope="module")
def squares(data, tmp_path_factory):
    """The drawn dataset with each frame cut to its central square, 48 of 64 columns, losslessly."""
    folder = tmp_path_factory.mktemp("squares")
    (folder / "videos").mkdir()
    shutil.copy(data / "annotations.csv", folder)
    for path in (data / "videos").iterdir():
        with open_video(path) as reader:
            times = np.arange(round(reader.info.duration * 15)) / 15
            frames = reader.clip(times)[:, :, 8:56]
        encode(folder / "videos" / path.name, frames, rate=15, lossless=True)
    return folder


@pytest.fixture(scope="module")
def center(whole, data, tmp_path_factory):
    """A run on the central squares of the drawn dataset, with an unbroken run's classifier."""
    return finished(whole, data, tmp_path_factory.mktemp("center") / "run", *CENTER)


def finished(whole, data, run, *more):
    """A run on the videos of `data`; the classifier counts as trained on them, whatever they are."""
    run.mkdir()
    shutil.copytree(whole / "finetune", run / "finetune")
    shutil.copy(whole / "config.yaml", run)
    path = run / "finetune/manifest.json"
    manifest = json.loads(path.read_text())
    videos = manifest["fields"][TRAINED_ON]
    files = {video: data / "videos" / f"{video}.mp4" for video in videos}
    manifest["fields"][TRAINED_ON] = short({v: i.digest for v, i in identify(files, {}).items()})
    path.write_text(json.dumps(manifest))
    done = tada("run", *options(data, run, *more, *VIDEO))
    assert done.exit_code == 0 and "finetune: complete" in done.output, done.output
    return run


def test_a_run_on_squares_is_a_run_on_videos_cut_beforehand(whole, center, squares, tmp_path):
    other = finished(whole, squares, tmp_path / "run", *FULL)
    files = sorted((center / "extract/features").iterdir())
    assert len(files) == 6
    for path in files:
        ours, meta = read_features(path, {"crop": "center"})
        theirs, plain = read_features(other / "extract/features" / path.name, {"crop": "whole"})
        np.testing.assert_array_equal(ours, theirs)
        assert meta.source_duration == plain.source_duration
        with h5py.File(path) as one, h5py.File(other / "extract/features" / path.name) as two:
            assert one.attrs["crop"] == "center" and "crop" not in two.attrs
    # Proposals come of the features, class scores of clips decoded again.
    for name in ("bmn/proposals/proposals.csv", "classify/detections.csv"):
        assert (center / name).read_bytes() == (other / name).read_bytes()


def test_a_run_with_other_crops_makes_its_features_again(center, whole, data, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(center, run)
    said = tada("status", *options(data, run, *FULL, *VIDEO)).output
    assert "extract.crop: center -> whole" in said
    done = tada("extract", *options(data, run, *FULL, *VIDEO))
    assert done.exit_code == 0 and "6 videos are made with other settings or weights" in done.output
    shutil.copytree(whole / "finetune", other / "finetune")
    assert tada("extract", *options(data, other, *FULL)).exit_code == 0
    files = sorted((run / "extract/features").iterdir())
    assert len(files) == 6
    for path in files:
        assert path.read_bytes() == (other / "extract/features" / path.name).read_bytes()
    # The network trained on the former ones is not thrown away.
    said = error_line(tada("run", *options(data, run, *FULL, *VIDEO)))
    assert "bmn/model.pt" in said and "--force" in said
    assert (run / "bmn/model.pt").read_bytes() == (center / "bmn/model.pt").read_bytes()


def test_other_crops_features_are_not_read(tmp_path):
    """Files put there by hand, under a manifest that says nothing of it."""
    for config, crop, other in (
        (load(*FULL), "center", "whole"), (load(*CENTER), "whole", "center")
    ):  # fmt: skip
        path = feature_path(tmp_path / crop / "extract/features", "v")
        meta = FeatureMeta(
            "v", 15.0, 8, 4, 4, 48, 1.0, "tada2d", "x", "float32", crop=crop
        )  # fmt: skip
        write_features(path, np.ones((4, 8), np.float32), meta)
        store = Run(tmp_path / crop, config).features
        with pytest.raises(
            UserError, match=f"crop is '{crop}', expected '{other}'.*extract"
        ) as caught:
            store("v")
        assert "\n" not in caught.value.message
        assert store.written("v", None) is None  # nor taken for one that was not recorded


def load(*assignments):
    values = dict(pair.split("=") for pair in assignments)
    values["extract.short_side"] = int(values["extract.short_side"])
    return load_config(find_config("demo"), values)


def test_files_that_name_no_crop_are_of_whole_frames(tmp_path):
    meta = FeatureMeta("v", 15.0, 8, 4, 4, 48, 1.0, "tada2d", "x", "float32")
    path = tmp_path / "v.h5"
    write_features(path, np.ones((4, 8), np.float32), meta)
    with h5py.File(path) as file:
        assert "crop" not in file.attrs
    assert read_features(path, {"crop": "whole"})[1] == meta
    with pytest.raises(FeatureFileError, match="crop is 'whole', expected 'center'"):
        read_features(path, {"crop": "center"})


def test_the_square_is_of_the_short_side():
    view = extraction_view(load(*CENTER).extract)
    assert (view.short_side, view.crop) == (48, 48)
    assert extraction_view(load(*FULL).extract).crop is None
