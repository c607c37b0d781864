"""A drawn dataset and an unbroken run on it, made once for all tests here."""

from __future__ import annotations

import pytest
from helpers.small_runs import options, tada

from pipeline.demo.dataset import make_dataset


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder, train_videos=4, val_videos=2, seconds=14.0)
    return folder


@pytest.fixture(scope="session")
def whole(data, tmp_path_factory):
    """An unbroken run; tests copy it before they change anything."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    result = tada("run", *options(data, run))
    assert result.exit_code == 0, result.output
    return run
