"""One world for all tests here: each makes it new for itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from truth.machine import Machine
from truth.world import make_world


@pytest.fixture(scope="session")
def machine():
    """In a folder that others may read too, as those that pytest makes may not be."""
    with tempfile.TemporaryDirectory(prefix="tada-loc-truth-") as folder:
        root = Path(folder).resolve()
        root.chmod(0o755)
        yield Machine(make_world(root))
