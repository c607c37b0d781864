"""The lock of a run folder: one process at a time, a dead one holds nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.paths import code_paths

from pipeline.errors import UserError
from pipeline.run_folder.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from pipeline.run_folder.lock import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_a_dead_one_does_not_block(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=code_paths(),
    )
    assert holder.stdout.readline() == "held\n"
    try:
        with (
            pytest.raises(UserError, match=f"in use by process {holder.pid} on .* since "),
            locked(tmp_path),
        ):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be"), locked(tmp_path / "file" / "run"):
        pass


def test_the_folder_is_made_and_what_a_killed_process_left_beside_the_stages_goes(tmp_path):
    run = tmp_path / "runs" / "new"
    with locked(run):
        left = run / ".config.yaml.99999.tmp"
        left.write_text("half")
    with locked(run):
        assert not left.exists()
    assert [path.name for path in run.iterdir()] == [".lock"]


def test_it_is_free_again_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with locked(tmp_path):
        pass
