"""One model file, written once; tests copy it before they change it."""

from __future__ import annotations

import shutil

import pytest
from helpers.model_files import small_model

from pipeline.model_files.writing import write_model


@pytest.fixture(scope="session")
def model():
    return small_model()


@pytest.fixture(scope="session")
def written_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "own.tada"
    write_model(model, path, trained="2026-11-26")
    return path


@pytest.fixture
def own(written_file, tmp_path):
    return shutil.copy(written_file, tmp_path / "own.tada")
