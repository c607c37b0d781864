"""Batches where shared memory is small, as in a container: they come, or one line says why not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.paths import code_paths

from pipeline.data.batches import read_batches
from pipeline.errors import UserError
from pipeline.processes import unnamed_memory

READ = """
import torch
from helpers.jobs_for_workers import Numbers
from pipeline.data.batches import read_batches
def large(keys):
    return {"clip": torch.full((1000, 1000), keys[0], dtype=torch.uint8)}
plan = [[number] for number in range(6)]
for batch in read_batches(Numbers(), plan, large, workers=2, lost=print):
    print(int(batch["clip"].sum()) // 1_000_000, flush=True)
"""
FULL = """
mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 99
dd if=/dev/zero of=/dev/shm/full bs=4k 2> /dev/null
exec "$0" -c "$1"
"""


def test_a_full_dev_shm_is_not_needed(tmp_path):
    """In a mount namespace of its own; /dev/shm of the machine stays as it is."""
    try:
        found = subprocess.run(
            ["unshare", "-m", "sh", "-c", FULL, sys.executable, READ],
            env=code_paths() | {"TMPDIR": str(tmp_path)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    except OSError:
        pytest.skip("no unshare")
    if found.returncode == 99 or "unshare" in found.stderr:
        pytest.skip("this user may not mount a file system")
    assert found.stdout.split() == [str(n) for n in range(6)], found.stderr
    assert not list(tmp_path.iterdir())


class Numbers:
    def video(self, key):
        return f"video {key}"

    def __getitem__(self, key):
        return key


def test_memory_that_is_not_there_is_one_line_and_no_videos_fault(monkeypatch):
    import torch

    real = unnamed_memory._reserve

    def reserve(descriptor, size):
        if size > 1000:
            raise OSError(28, "No space left on device")
        real(descriptor, size)

    monkeypatch.setattr(unnamed_memory, "_reserve", reserve)
    lost = []
    stream = read_batches(
        Numbers(),
        [[0], [1]],
        lambda keys: torch.zeros(5000),
        workers=1,
        lost=lambda *told: lost.append(told),
    )
    with pytest.raises(UserError, match=r"not enough memory for 0\.0 MB .*--workers 0"):
        next(stream)
    assert not lost
