"""A file that the system does not let be read: one line that says so; what may be whole is not called damaged."""

from __future__ import annotations

import builtins
import errno
import io
import os

import numpy as np
import pytest

from feature_extraction.store import FeatureMeta, UnreadableFileError, read_features, write_features
from feature_extraction.weights import CheckpointError, read_checkpoint
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.videos.failures import read_failures
from pipeline.errors import UserError, cannot_read
from pipeline.results.classification.class_scores import Parts
from pipeline.results.figures import read_results
from pipeline.results.tables import read_part
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.run import Run
from pipeline.stages.ranking import _read_part
from pipeline.training.checkpoints import load_state

NUMBERS = [errno.EACCES, errno.EIO, errno.ESTALE]


@pytest.fixture(params=NUMBERS, ids=errno.errorcode.get)
def unreadable(request, monkeypatch):
    """Make a file unreadable, for root as well."""
    real = io.open

    def refuse(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

        def opened(file, *arguments, **options):
            if not isinstance(file, int) and os.fspath(file) == str(path):
                raise OSError(request.param, os.strerror(request.param), str(path))
            return real(file, *arguments, **options)

        monkeypatch.setattr(builtins, "open", opened)
        monkeypatch.setattr(io, "open", opened)
        return os.strerror(request.param)

    return refuse


READERS = {
    "checkpoint.pt": load_state,
    "a.csv": lambda path: read_part(path, "a"),
    "videos/a.npz": lambda path: Parts(path.parents[1], "by", {"a": "of"}).read("a"),
    "part.npz": _read_part,
    "failures.json": lambda path: read_failures(path.parent),
    "manifest.json": lambda path: read_manifest(path.parent),
    "results.json": lambda path: read_results(path, "eval"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_a_run_stays_and_the_run_ends(tmp_path, unreadable, name):
    path = tmp_path / name
    reason = unreadable(path)
    with pytest.raises(UserError) as caught:
        READERS[name](path)
    said = str(caught.value)
    assert f"{path}: cannot be read ({reason})" in said
    assert "delete" not in said and "damaged" not in said and "move" not in said


@pytest.mark.parametrize(
    "name", ["a.csv", "videos/a.npz", "part.npz", "failures.json", "manifest.json"]
)
def test_what_is_not_there_is_told_or_made_as_ever(tmp_path, name):
    path = tmp_path / name
    made_by = {"a.csv": "bmn", "videos/a.npz": "classify"}.get(name)
    if made_by is not None:
        with pytest.raises(UserError, match=f"(?i)no such file.*run `tada-loc {made_by}`"):
            READERS[name](path)
    else:
        assert not READERS[name](path)


@pytest.fixture
def store(tmp_path):
    return Run(tmp_path / "run", load_config(find_config("demo"))).features


def test_features_that_cannot_be_read_are_neither_made_again_nor_blamed(store, unreadable):
    meta = FeatureMeta("a", 7.0, 8, 4, 8, 32, 1.0, "tsn", "0", "float32")
    path = store.path("a")
    write_features(path, np.ones((2, 3), np.float32), meta)
    reason = unreadable(path)
    with pytest.raises(UnreadableFileError, match="it may be whole, so keep it"):
        read_features(path)
    for ask in (store, store.shape, lambda video: store.written(video, None)):
        with pytest.raises(UserError, match=reason) as caught:
            ask("a")
        assert "extract" not in str(caught.value).replace(str(path), "")


def test_a_checkpoint_from_elsewhere_says_why(tmp_path, unreadable):
    path = tmp_path / "weights.pt"
    reason = unreadable(path)
    with pytest.raises(CheckpointError, match=rf"cannot be read \({reason}\)"):
        read_checkpoint(path)


def test_the_line_says_what_to_do(tmp_path):
    for number, fix in (
        (errno.EACCES, "permission to read"),
        (errno.EIO, "keep it; check the disk"),
    ):
        assert fix in str(cannot_read(tmp_path, OSError(number, os.strerror(number))))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_rights_is_one_line(tmp_path):
    path = tmp_path / "failures.json"
    path.write_text("[]")
    path.chmod(0)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\); give this user"):
        read_failures(tmp_path)
