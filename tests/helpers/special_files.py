"""What stands where a file should: pipes, sockets, devices, links; and whether a file was opened."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Iterator
from pathlib import Path

KINDS = ("pipe", "socket", "device", "folder", "nowhere", "loop")
# What a message says of each.
SAID = {
    "pipe": "a named pipe",
    "socket": "a socket",
    "device": "a device",
    "folder": "a folder",
    "nowhere": "link",
    "loop": "link",
}
_OPENED = 0x20


def put(path: Path, kind: str) -> Path:
    """Put something of a kind at a path, in place of what is there."""
    if path.exists():
        path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)  # a short name, which is all that fits
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": Path("/dev/zero"), "loop": path}.get(kind, path.parent / "no"))
    return path


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[list[str]]:
    """The names of the files of a folder that are opened in the block, by whatever library; known after it."""
    system = ctypes.CDLL(None, use_errno=True)
    watch = system.inotify_init1(os.O_NONBLOCK)
    names: list[str] = []
    try:
        assert system.inotify_add_watch(watch, os.fsencode(folder), _OPENED) > 0
        yield names
        with contextlib.suppress(BlockingIOError):
            while events := os.read(watch, 1 << 16):
                while events:
                    size = int.from_bytes(events[12:16], "little")
                    names.append(events[16 : 16 + size].rstrip(b"\0").decode())
                    events = events[16 + size :]
    finally:
        os.close(watch)
