"""What the tests of kills and signals look at: the processes that live."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path


def session(leader: int) -> list[int]:
    """The living processes of a session (that of a process started with start_new_session)."""
    return [pid for pid, fields in _stats() if int(fields[3]) == leader and fields[0] != "Z"]


def _stats() -> list[tuple[int, list[str]]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue  # ended meanwhile
            # After the name in brackets: state, parent, group, session, ...
            found.append((int(folder.name), text.rpartition(")")[2].split()))
    return found


def processes(part: str, folder: Path) -> list[int]:
    """The processes whose command line has a part and names a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # ended meanwhile
            if part in line and str(folder) in line:
                found.append(int(entry.name))
    return found


def readers(path: Path) -> list[int]:
    """The processes that have a file open for reading; one that only inherited its end for writing is not one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                opened = [
                    link.name for link in (folder / "fd").iterdir() if link.readlink() == path
                ]
                if any(_reads(folder / "fdinfo" / name) for name in opened):
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def _reads(fdinfo: Path) -> bool:
    flags = next(line for line in fdinfo.read_text().splitlines() if line.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_WRONLY


def seen(process: subprocess.Popen, run: Path, sign: str) -> bool:
    """Wait for a file; whether it came before the process ended."""
    while not list(run.glob(sign)):
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def wait_for(process: subprocess.Popen, run: Path, sign: str) -> None:
    assert seen(process, run, sign), "the run ended before it could be killed"
