"""What every test may use: where the real data lies, and the reference vectors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
