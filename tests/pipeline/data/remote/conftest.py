"""A store in memory, a web server, and no waiting between tries."""

from __future__ import annotations

import pytest
from helpers.web_server import serving

from pipeline.data.remote import stores


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch, tmp_path):
    monkeypatch.setattr(stores, "WAITS", (0.0, 0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def memory():
    """fsspec's store in memory, empty."""
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()


@pytest.fixture
def web(tmp_path):
    """A web server of a new folder, and that folder."""
    pytest.importorskip("aiohttp")
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder) as server:
        yield server, folder
