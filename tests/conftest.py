"""What every test may use: where the real data lies, and the reference vectors."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.browser import browser, open_page  # noqa: F401  # here once: a session has one browser
from helpers.signals import heard
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The machine may be busy: how long an example takes says nothing about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def real_data():
    """Give the path of a real data file, or skip the test where the data is not there."""
    base = Path(os.environ.get("TADA_LOC_DATA", ROOT.parent / "shared" / "data"))

    def find(*parts: str) -> Path:
        path = base.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"real data not found: {'/'.join(parts)} (set TADA_LOC_DATA)")
        return path

    return find


@pytest.fixture(scope="session")
def reference():
    """Load a file of reference vectors from tests/data as a dict of arrays."""

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(ROOT / "tests" / "data" / name, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}

    return load


@pytest.fixture(scope="session")
def edit_sealed():
    """Change a feature file with h5py and seal it again: as whole as one by a hostile hand."""
    from feature_extraction.seal import (
        SIZE,
        seal,
    )  # with torch, which reads the above when imported

    def change(path: Path, edit) -> None:
        path.write_bytes(path.read_bytes()[:-SIZE])
        with h5py.File(path, "a") as file:
            edit(file)
        offset = size = 0
        with h5py.File(path) as file:
            link = file.get("features", getlink=True)
            if isinstance(link, h5py.HardLink) and isinstance(file["features"], h5py.Dataset):
                offset = file["features"].id.get_offset() or 0
                size = file["features"].id.get_storage_size() if offset else 0
        image = path.read_bytes()
        path.write_bytes(image + seal(image, offset, size))

    return change


@pytest.fixture
def signals_heard():
    """Signals stop what a test does, also under nohup or in the background, where some are ignored."""
    with heard():
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks():
    """Nothing is put on disk for good: what a loss of power leaves is asked where `os.fsync` is replaced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
