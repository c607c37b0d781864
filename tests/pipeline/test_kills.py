"""kill -9 at any moment: the same command finishes, and the results are those of an unbroken run."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from helpers.leftovers import left_half_written
from helpers.processes import seen, session, wait_for
from helpers.small_runs import kill, often_saved, options, same_results, start, tada, without_stages

from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.ways import in_order

STAGES = [stage.folder for stage in in_order()]


def as_if_never_killed(whole: Path, data: Path, run: Path) -> None:
    """The results of the unbroken run, every byte of them recorded, and nothing left to do."""
    same_results(whole, run)
    assert not list(run.rglob("*.tmp"))
    arguments = often_saved(data, run)[1:]
    assert tada("status", *arguments).output.count(" complete ") == len(STAGES)
    assert tada("verify", *arguments).exit_code == 0


@pytest.mark.parametrize(
    "sign",
    [
        "finetune/checkpoint.pt",
        "extract/features/[!.]*.h5",
        "bmn/checkpoint.pt",
        "bmn/proposals/videos/*.csv",
    ],
)
def test_killed_midway_and_run_again_equals_unbroken(whole, data, tmp_path, sign):
    """Killed as soon as a stage has written the first of its outputs."""
    run = tmp_path / "run"
    stage = sign.split("/")[0] if "proposals" not in sign else "bmn/proposals"
    if stage != "finetune":
        without_stages(whole, run, stage)
    process = start(often_saved(data, run))
    wait_for(process, run, sign)
    kill(process)
    state = json.loads((run / stage / "manifest.json").read_text())["state"]
    result = tada(*often_saved(data, run))
    assert result.exit_code == 0, result.output
    assert state == "partial" or "nothing to do" in result.output
    as_if_never_killed(whole, data, run)


@pytest.mark.parametrize("stage", ["classify", pytest.param("eval", marks=pytest.mark.slow)])
def test_killed_in_the_last_stages(whole, data, tmp_path, stage):
    run = tmp_path / "run"
    without_stages(whole, run, stage)
    process = start(["eval", *options(data, run)])
    wait_for(process, run, f"{stage}/manifest.json")
    kill(process)
    result = tada("eval", *options(data, run))
    assert result.exit_code == 0, result.output
    same_results(whole, run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "sign"),
    [("extract", "extract/features/[!.]*.h5"), ("finetune", "finetune/checkpoint.pt")],
)
def test_killed_alone_its_workers_do_not_live_on(whole, data, tmp_path, stage, sign):
    run = tmp_path / "run"
    without_stages(whole, run, stage)
    process = start(often_saved(data, run, workers=2))
    wait_for(process, run, sign)
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while session(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not session(process.pid)
    result = tada(*often_saved(data, run))
    assert result.exit_code == 0, result.output
    same_results(whole, run)


def test_temporary_files_are_cleared_and_never_a_result(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    names = [
        "config.yaml", "finetune/model.pt", "extract/features/a.h5", "extract/manifest.json",
        "classify/videos/a.npz", "eval/results.json",
    ]  # fmt: skip
    left = [left_half_written(run / name) for name in names]
    (run / "extract/notes.tmp").write_text("mine")
    result = tada("run", *options(data, run))
    assert result.exit_code == 0, result.output
    assert [path for path in left if path.exists()] == []
    assert (run / "extract/notes.tmp").exists()
    same_results(whole, run)


def seconds_of_stages(data: Path, run: Path) -> dict[str, float]:
    """How long each stage of an unbroken run works, on this machine, as it is today."""
    begun: dict[str, float] = {}
    lasted: dict[str, float] = {}
    process = start(often_saved(data, run))
    while process.poll() is None:
        for stage in STAGES:
            manifest = read_manifest(run / stage)
            if manifest is not None:
                begun.setdefault(stage, time.monotonic())
                if manifest.complete:
                    lasted.setdefault(stage, time.monotonic() - begun[stage])
        time.sleep(0.002)
    assert process.returncode == 0
    return {stage: lasted.get(stage, 0.05) for stage in STAGES}


@pytest.mark.slow
def test_kills_at_random_moments_of_every_stage(whole, data, tmp_path):
    chance, killed, within = random.Random(0), 0, Counter()
    lasts = seconds_of_stages(data, tmp_path / "unbroken")
    for number in range(24):
        run, stage = tmp_path / f"run{number}", STAGES[number % len(STAGES)]
        workers = chance.choice([0, 2])
        without_stages(whole, run, stage)
        for _ in range(2):
            process = start(often_saved(data, run, workers=workers))
            if not seen(process, run, f"{stage}/manifest.json"):
                break
            time.sleep(chance.uniform(0, lasts[stage]))
            if process.poll() is not None:
                break
            states = [read_manifest(run / name) for name in STAGES]
            found = dict(zip(STAGES, states, strict=True))
            at = [name for name, one in found.items() if one is not None and not one.complete]
            kill(process)
            killed += 1
            within.update(at[-1:] or ["between stages"])
        result = tada(*often_saved(data, run))
        assert result.exit_code == 0, result.output
        as_if_never_killed(whole, data, run)
        shutil.rmtree(run)
    print(f"{killed} kills survived: {dict(within)}")
    assert killed >= 30 and {"finetune", "extract", "bmn"} <= within.keys()
