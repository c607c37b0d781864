"""The world that pages are followed in, made once."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from helpers.documents import running, world

from pipeline.demo import running as demo_running
from pipeline.demo.dataset import make_dataset


@pytest.fixture(scope="session")
def small_demo():
    """`tada-loc demo` draws six short videos, not 192."""
    few = partial(make_dataset, train_videos=4, val_videos=2, seconds=10.0, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_running, "make_dataset", few)
        yield


@pytest.fixture(scope="session")
def made_world(small_demo, tmp_path_factory):
    """The folder as helpers/documents/world.py makes it."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        world.make_world(folder)
    return folder


@pytest.fixture(scope="session")
def shims(tmp_path_factory):
    """A folder with a `tada-loc` for shells."""
    folder = tmp_path_factory.mktemp("bin")
    running.write_shim(folder)
    return folder


@pytest.fixture
def page_folder(made_world, shims, tmp_path, monkeypatch):
    """Gives a page's own copy of the world, as the working folder; what it changes is nobody else's."""

    def enter(text: str) -> running.Page:
        world.copy_world(made_world, tmp_path, text)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MPLBACKEND", "Agg")
        return running.Page(tmp_path, shims)

    threads = torch.get_num_threads()
    yield enter
    torch.set_num_threads(threads)
