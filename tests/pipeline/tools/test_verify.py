"""Every byte of a run compared with what was written: one bit anywhere is found, and named."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from helpers.small_runs import error_line, options, same_results, tada

from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.ways import in_order

# A file of each kind that a stage leaves.
WRITTEN = [
    "finetune/model.pt",
    "extract/features/training_001.h5",
    "bmn/model.pt",
    "bmn/proposals/videos/validation_000.csv",
    "bmn/proposals/proposals.csv",
    "classify/videos/validation_001.npz",
    "classify/detections.csv",
    "eval/results.json",
]


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def verify(data, run, *more):
    """The exit code of `verify`, what it prints, and what it writes as JSON."""
    path = run.parent / "found.json"
    done = tada("verify", *options(data, run), "--json", str(path), *more)
    return done.exit_code, done.stdout, json.loads(path.read_text())


def flip(path):
    """One bit in the middle, under the size and the time that the file had."""
    found, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_a_run_as_it_was_written_is_sound(data, run):
    outputs = sum(len(read_manifest(run / stage.folder).outputs) for stage in in_order())
    parts = len([*run.rglob("*.h5"), *run.rglob("videos/*"), *run.rglob("maps/*.npz")])
    assert outputs == 5 and parts == 6 + 2 + 2 + 2
    code, printed, found = verify(data, run)
    assert (code, found) == (0, {"files": outputs + parts, "faults": []})
    assert printed == f"{outputs + parts} files are as they were written\n"


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("how", ["one bit", "cut", "gone", "a folder"])
def test_what_is_not_what_was_written_is_named(data, run, name, how):
    path = run / name
    if how == "one bit":
        flip(path)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
        if how == "a folder":
            path.mkdir()
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    code, printed, found = verify(data, run)
    said = (
        f"{path}: is not as it was written" if how in {"one bit", "cut"} else f"{path}: is missing"
    )
    assert code == 1 and found["faults"] == [said]
    assert printed == f"{said}\n1 of {found['files']} files are not as they were written\n"
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before, "it changes nothing"


def test_everything_wrong_is_named_at_once(data, run):
    for name in WRITTEN:
        flip(run / name)
    code, printed, found = verify(data, run)
    assert code == 1 and len(found["faults"]) == len(WRITTEN)
    assert all(f"{run / name}: " in printed for name in WRITTEN)


@pytest.mark.parametrize("name", [name for name in WRITTEN if not name.endswith(".pt")])
def test_what_it_names_is_made_again_where_bytes_are_compared(data, run, whole, name):
    """A flipped bit that neither size nor time tell: `run --verify` makes it again, and all is as it was."""
    flip(run / name)
    done = tada("run", *options(data, run), "--verify")
    assert done.exit_code == 0, done.output
    assert (run / name).read_bytes() == (whole / name).read_bytes()
    same_results(whole, run)
    assert verify(data, run)[0] == 0


@pytest.mark.parametrize("name", ["finetune/model.pt", "bmn/model.pt"])
def test_a_damaged_network_is_not_thrown_away(data, run, whole, name):
    flip(run / name)
    said = error_line(tada("run", *options(data, run), "--verify"))
    assert name in said and "not what was written" in said and "--force" in said
    shutil.copy(whole / name, run / name)
    assert tada("run", *options(data, run), "--verify").exit_code == 0
    assert verify(data, run)[0] == 0


def test_where_nothing_is_recorded_that_is_said(data, tmp_path):
    said = error_line(tada("verify", *options(data, tmp_path / "none")))
    assert "nothing is recorded here" in said and "--run-dir" in said
    assert not (tmp_path / "none").exists()


def test_a_half_done_run_is_as_far_sound_as_it_is(data, run):
    for name in ("classify", "eval"):
        shutil.rmtree(run / name)
    code, printed, found = verify(data, run)
    assert (code, found["files"]) == (0, 13) and "13 files" in printed


def test_a_damaged_manifest_is_named_and_the_rest_is_compared(data, run):
    (run / "bmn/manifest.json").write_text("{")
    flip(run / "eval/results.json")
    code, printed, found = verify(data, run)
    assert code == 1 and len(found["faults"]) == 2
    assert (
        "bmn/manifest.json: damaged" in printed
        and "results.json: is not as it was written" in printed
    )
