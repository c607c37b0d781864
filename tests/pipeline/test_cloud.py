"""Data with addresses: all stages from a web server and a small cache make what they make of files here."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from helpers import imported
from helpers.small_runs import options, same_results, tada
from helpers.web_server import serving

from pipeline.configuration.reading import load_config
from pipeline.configuration.sections.urls import Url
from pipeline.data.remote import stores


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch, tmp_path):
    monkeypatch.setattr(stores, "WAITS", (0.0,))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def test_all_stages_from_a_web_server_through_a_small_cache(data, whole, tmp_path):
    pytest.importorskip("aiohttp")
    served = tmp_path / "served"
    shutil.copytree(data, served)
    sizes = {path.stem: path.stat().st_size for path in (served / "videos").iterdir()}
    run, cache = tmp_path / "run", tmp_path / "cache"
    limit = 2 * max(sizes.values()) + 1
    with serving(served) as server:
        own = [
            f"dataset.videos={server.url}/videos", f"dataset.annotations={server.url}/annotations.csv",
            f"dataset.cache={cache}", f"dataset.cache_size={limit / 1e9}",
        ]  # fmt: skip
        result = tada("run", *options(data, run, *own))
        assert result.exit_code == 0, result.output
        same_results(whole, run)
        kept = sum(path.stat().st_size for path in (cache / "videos").iterdir())
        assert 0 < kept <= limit < sum(sizes.values())
        assert load_config(run / "config.yaml").dataset.videos == Url(f"{server.url}/videos")

        shutil.copy(served / "videos/training_001.mp4", served / "videos/validation_001.mp4")
        said = tada("extract", "--run-dir", str(run)).output
        assert "1 of 6 videos to do" in said
        server.busy = 10**6
        before = len(server.asked)
        # nobody answers: it is reported, and what was known is shown
        said = tada("status", "--run-dir", str(run))
        assert said.exit_code == 0 and "extract        complete" in said.output, said.output
        assert said.output.count("assuming that its videos are unchanged") == 1
        assert said.output.count("using the existing copy in") == 1
        assert len(server.asked) - before <= 12  # tries of two questions, no video
        said = tada("extract", "--run-dir", str(run)).output
        assert "extract: complete, nothing to do" in said


def test_a_video_that_does_not_fit_is_left_out_with_its_address(data, tmp_path):
    url = f"file://{data}/videos"
    largest = max((data / "videos").iterdir(), key=lambda path: path.stat().st_size)
    limit = (largest.stat().st_size - 1) / 1e9
    own = [f"dataset.videos={url}", f"dataset.cache_size={limit}", "runtime.allow_failures=1"]
    result = tada("extract", *options(data, tmp_path / "run", *own))
    assert "finetune" in result.output  # which comes first
    result = tada("run", *options(data, tmp_path / "run", *own))
    line = f"video {largest.stem} is left out: {url}/{largest.name}: "
    assert line in result.output and "raise it" in result.output, result.output


def test_features_are_imported_from_an_address(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        imported.make(folder)
    for path in (there / "features").iterdir():
        store.pipe(f"/f/{path.name}", path.read_bytes())
    shutil.rmtree(there / "features")
    stated = ["--fps", "10", "--stride", "10"]

    def take(folder, place):
        own = imported.options(folder, f"dataset.cache={tmp_path / 'cache'}")
        return imported.tada("import-features", *own, "--from", place, *stated)

    for folder, place in ((here, here / "features"), (there, "memory://f")):
        result = take(folder, place)
        assert result.exit_code == 0, result.output
    for video in imported.VIDEOS:
        one, two = (folder / f"run/extract/features/{video}.h5" for folder in (here, there))
        assert one.read_bytes() == two.read_bytes()
    assert "nothing to do" in take(there, "memory://f").output
    np.save(there / "a.npy", np.ones((20, 12), np.float32))
    store.pipe("/f/a.npy", (there / "a.npy").read_bytes())
    assert "nothing to do" not in take(there, "memory://f").output
    refused = take(there, "s3://KEY:SECRET@bucket/f").output
    assert "no user and password" in refused and "SECRET" not in refused
    store.store.clear()
