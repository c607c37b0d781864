"""Features that go out are those that would be made now, and nothing is written into the run."""

from __future__ import annotations

import shutil

import numpy as np
from helpers.small_runs import error_line, options, tada

from feature_extraction.store import read_features


def test_features_go_out_as_they_are_stored(whole, data, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert tada("export-features", *options(data, whole), "--to", str(tmp_path)).exit_code == 0
    stored, _ = read_features(whole / "extract/features/training_000.h5")
    assert np.array_equal(np.load(tmp_path / "training_000.npy"), stored)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_features_of_another_file_or_damaged_ones_do_not(whole, data, tmp_path):
    run, own = tmp_path / "run", tmp_path / "data"
    shutil.copytree(whole, run)
    shutil.copytree(data, own)
    path = run / "extract/features/training_001.h5"
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(content)
    line = error_line(tada("export-features", *options(own, run), "--to", str(tmp_path / "out")))
    assert "training_001.h5: not what was written, as are features of 1 videos in all" in line
    assert "run `tada-loc extract` first" in line
    assert tada("extract", *options(own, run)).exit_code == 0
    shutil.copy(own / "videos/validation_000.mp4", own / "videos/validation_001.mp4")
    line = error_line(tada("export-features", *options(own, run), "--to", str(tmp_path / "out")))
    assert "validation_001.h5: of another video file" in line
    assert not (tmp_path / "out").exists()
