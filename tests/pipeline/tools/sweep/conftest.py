"""A trained run, made once for all tests here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import separable
from helpers.small_runs import tada
from helpers.swept import LINEAR, trained


@pytest.fixture(scope="package")
def data(tmp_path_factory) -> Path:
    return separable.make_data(tmp_path_factory.mktemp("separable") / "data")


@pytest.fixture(scope="package")
def whole(data, tmp_path_factory) -> Path:
    """Tests copy it before they change anything."""
    return trained(data, tmp_path_factory.mktemp("runs") / "whole", *LINEAR)


@pytest.fixture
def run(whole, tmp_path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def sweep(run) -> Callable:
    """`tada-loc sweep` on the run."""
    return lambda *words: tada("sweep", "--run-dir", str(run), *words)
