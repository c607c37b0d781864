"""A disk that is full or read-only: one clear line, no half file, and on we go once there is room."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.small_runs import error_line, options, same_results, tada, without_stages

from pipeline.errors import UserError
from pipeline.run_folder.lock import locked
from pipeline.run_folder.manifests import write_json


class Disk:
    """A file system of its own that can be filled, freed and turned read-only."""

    def __init__(self, path: Path) -> None:
        self.path, self._filler = path, path / "filler"

    def fill(self, left: int = 0) -> None:
        """Leave `left` bytes."""
        self.free()
        space = os.statvfs(self.path)
        with self._filler.open("wb") as file:
            size = max(1, space.f_bavail * space.f_frsize - left)
            os.posix_fallocate(file.fileno(), 0, size)

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path):
    """A tmpfs of 64 MB, where the test may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("this user may not mount a file system")
    yield Disk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


def halves(run: Path) -> list[Path]:
    """What a write that failed must not leave."""
    found = (path for path in run.rglob("*") if path.is_file())
    return [path for path in found if path.suffix == ".tmp"]


@pytest.mark.parametrize(
    ("stage", "workers"),
    [
        ("finetune", 0),
        ("extract", 0),
        pytest.param("extract", 2, marks=pytest.mark.slow),
        ("bmn", 0),
        ("bmn/proposals", 0),
        ("classify", 0),
        ("eval", 0),
    ],
)
@pytest.mark.parametrize("left", [0, 8192])
def test_a_full_disk_ends_a_stage_and_room_lets_it_go_on(whole, data, disk, stage, workers, left):
    """With no byte left not even the manifest is written; with some, larger files are not."""
    run = disk.path / "run"
    without_stages(whole, run, stage)
    disk.fill(left)
    line = ["run", *options(data, run, workers=workers)]
    result = tada(*line)
    if result.exit_code == 0:  # tables of a few kilobytes fit
        assert left and stage in {"classify", "eval"}
    else:
        said = error_line(result)
        assert "cannot be written (No space left on device)" in said and "free some space" in said
        assert "failed:" not in result.output, "a video was blamed"
    assert not halves(run)
    disk.free()
    result = tada(*line)
    assert result.exit_code == 0, result.output
    assert not (run / "extract/failures.json").exists()
    same_results(whole, run)


@pytest.mark.parametrize("stage", ["finetune", "extract", "bmn", "classify", "eval"])
def test_a_read_only_run_folder_is_one_line(whole, data, disk, stage):
    run = disk.path / "run"
    without_stages(whole, run, stage)
    disk.remount("ro")
    said = error_line(tada("run", *options(data, run)))
    assert "Read-only file system" in said and "writable" in said
    disk.remount("rw")
    result = tada("run", *options(data, run))
    assert result.exit_code == 0, result.output
    same_results(whole, run)


def test_a_finished_run_in_a_read_only_folder_is_read(whole, data, disk, tmp_path):
    run = disk.path / "run"
    shutil.copytree(whole, run)
    disk.remount("ro")
    numbers = tmp_path / "numbers.json"
    for command, *more in (
        ("status",), ("verify",), ("run",), ("eval",), ("eval", "--json", str(numbers)),
    ):  # fmt: skip
        result = tada(command, *options(data, run), *more)
        assert result.exit_code == 0, result.output
    assert numbers.read_bytes() == (whole / "eval/results.json").read_bytes()


def test_results_and_exports_on_a_full_disk(whole, data, disk, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    disk.fill(0)
    said = error_line(tada("eval", *options(data, run), "--json", str(disk.path / "numbers.json")))
    assert "numbers.json" in said and "No space left" in said
    exported = disk.path / "exported"
    disk.fill(4096)
    said = error_line(tada("export-features", *options(data, run), "--to", str(exported)))
    assert "free some space" in said and not halves(disk.path)
    disk.free()
    result = tada("export-features", *options(data, run), "--to", str(exported))
    assert result.exit_code == 0, result.output
    disk.remount("ro")
    said = error_line(tada("demo", "--run-dir", str(disk.path / "demo")))
    assert "Read-only file system" in said


@pytest.mark.parametrize("stage", ["finetune", "extract", "bmn", "classify"])
def test_a_limit_on_the_size_of_files_is_one_line(whole, data, tmp_path, stage):
    """The same where no file system can be mounted: writes beyond the limit fail half done."""
    run = tmp_path / "run"
    without_stages(whole, run, stage)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, limits[1]))
    try:
        result = tada("run", *options(data, run))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = error_line(result)
    assert "cannot be written (File too large)" in said and not halves(run)
    result = tada("run", *options(data, run))
    assert result.exit_code == 0, result.output
    same_results(whole, run)


def test_a_folder_that_is_a_file_is_one_line(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    (run / "bmn").write_text("in the way")
    assert str(run / "bmn") in error_line(tada("bmn", *options(data, run)))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_json(tmp_path / "file" / "a.json", {})
    with pytest.raises(UserError, match="cannot be used"), locked(tmp_path / "file" / "run"):
        pass
