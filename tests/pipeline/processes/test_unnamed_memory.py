"""Memory without a name: seen by both sides, and where there is none, one line."""

from __future__ import annotations

import errno
import multiprocessing
import os
import tempfile

import pytest

from pipeline.errors import UserError
from pipeline.processes import unnamed_memory
from pipeline.processes.unnamed_memory import UnnamedMemory


def write(memory, text):
    memory.bytes(len(text))[: len(text)] = text


@pytest.fixture(params=["memfd", "file"])
def kind(request, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if request.param == "file":
        monkeypatch.delattr(unnamed_memory.os, "memfd_create")
    yield
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_writes_what_is_read_here(kind, method):
    memory = UnnamedMemory()
    memory.bytes(4)
    process = multiprocessing.get_context(method).Process(target=write, args=(memory, b"heard"))
    process.start()
    process.join(60)
    assert memory.bytes(5)[:5] == b"heard"
    memory.close()


def test_it_grows_and_keeps_what_is_in_it(kind):
    memory = UnnamedMemory()
    write(memory, b"one")
    assert memory.bytes(1 << 20)[:3] == b"one" and len(memory.bytes(7)) >= 1 << 20
    memory.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENOMEM])
@pytest.mark.parametrize("call", ["posix_fallocate", "ftruncate"])
def test_where_there_is_no_room_one_line_says_what_helps(monkeypatch, number, call):
    """Asked for at once: memory that turns out missing when it is written to ends a process (SIGBUS)."""

    def refused(*_):
        raise OSError(number, os.strerror(number))

    if call == "ftruncate":
        monkeypatch.delattr(unnamed_memory.os, "posix_fallocate")
    monkeypatch.setattr(unnamed_memory.os, call, refused)
    with pytest.raises(UserError, match=r"not enough memory for 5\.0 MB .*--workers 0"):
        UnnamedMemory().bytes(5_000_000)
