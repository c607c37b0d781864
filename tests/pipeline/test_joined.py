"""Many processes at one run folder: killed at random, what they leave equals one process's to the byte."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from itertools import cycle
from pathlib import Path

import pytest
from helpers.forked import Forked
from helpers.small_runs import error_line, options, tada, without_stages

from pipeline.run_folder.joined.seen import workers_in
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.lock import locked
from pipeline.run_folder.manifests import read_manifest


@pytest.fixture
def forked(tmp_path):
    folder = tmp_path / "said"
    folder.mkdir()
    server = Forked(folder, "pipeline.stages.extract", "pipeline.stages.heads.proposals")
    yield server
    server.close()


def same_stage(one: Path, two: Path, pattern: str) -> None:
    """The files of a stage byte for byte, and all that is recorded of them but when."""
    assert read_manifest(two).complete
    names = sorted(path.relative_to(one) for path in one.glob(pattern))
    assert names and names == sorted(path.relative_to(two) for path in two.glob(pattern))
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    ours, theirs = (
        {
            line.video: (line.by, line.of, line.content, line.file.sha256)
            for line in Ledger(folder).lines.values()
        }
        for folder in (one, two)
    )
    assert ours == theirs
    assert sorted(path.name for path in one.iterdir()) == sorted(p.name for p in two.iterdir())


def kill_some(forked: Forked, line: list[str], folder: Path, kills: int, chance) -> int:
    """Four processes at work, of which one is killed again and again while it holds a video; how many were."""

    def is_done() -> bool:
        manifest = read_manifest(folder)
        return manifest is not None and manifest.complete

    return forked.kill_some(line, folder, kills, chance, processes=4, within=0.05, is_done=is_done)


def test_four_processes_that_are_killed_equal_one(whole, data, tmp_path, forked):
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    line = ["extract", *options(data, run)]
    assert kill_some(forked, line, run / "extract", 4, random.Random(0)) >= 2
    same_stage(whole / "extract", run / "extract", "features/*")
    assert "6 videos complete" in forked.said() and "joins " in forked.said()
    assert not list(run.rglob("*.tmp"))
    assert tada("verify", *options(data, run)).exit_code == 0
    result = tada("extract", *options(data, run))
    assert result.exit_code == 0 and "extract: complete, nothing to do" in result.output
    # Proposals likewise: what each process made, one table of all.
    shutil.copytree(whole / "bmn", run / "bmn", ignore=shutil.ignore_patterns("proposals"))
    line = ["bmn", *options(data, run)]
    codes = [forked.wait(process) for process in [forked.start(line) for _ in range(3)]]
    assert codes == [0, 0, 0], forked.said()
    same_stage(whole / "bmn/proposals", run / "bmn/proposals", "**/*.csv")
    assert not list(run.rglob(".tada-work"))


@pytest.mark.slow
def test_twenty_kills(whole, data, tmp_path, forked):
    chance, killed = random.Random(1), 0
    for number, workers in zip(range(20), cycle([0, 0, 2]), strict=False):
        run = tmp_path / f"run{number}"
        without_stages(whole, run, "extract")
        line = ["extract", *options(data, run, workers=workers)]
        killed += kill_some(forked, line, run / "extract", 6, chance)
        same_stage(whole / "extract", run / "extract", "features/*")
        assert tada("verify", *options(data, run)).exit_code == 0
        if killed >= 20:
            break
    print(f"{killed} kills survived")
    assert killed >= 20


def test_shares_together_are_all_and_the_last_finishes(whole, data, tmp_path, monkeypatch):
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    line = ["extract", *options(data, run)]
    assert "6 of 6 videos are missing" in error_line(tada(*line, "--check"))
    result = tada(*line, "--shard", "1/3")
    assert result.exit_code == 0, result.output
    assert "shard 1/3 is done; 4 videos of other shards are not done yet" in result.output
    assert read_manifest(run / "extract").state == "partial"
    table = tada("status", *options(data, run)).output
    assert "4 and" not in table and " partial " in table
    for name, value in (("ID", "1"), ("MIN", "1"), ("MAX", "3")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    result = tada(*line)
    assert "extract: shard 0/3 (SLURM_ARRAY_TASK_ID" in result.output
    assert "2 videos of other shards are not done yet" in result.output
    said = error_line(tada(*line, "--check"))
    assert "2 of 6 videos are missing" in said and "no process is at work" in said
    result = tada(*line, "--shard", "2/3")
    assert result.exit_code == 0 and "extract: 6 videos complete" in result.output
    same_stage(whole / "extract", run / "extract", "features/*")
    result = tada(*line, "--check")
    assert result.exit_code == 0 and "extract: complete (6 videos)" in result.output


def test_check_completes_what_is_all_there(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    path = run / "extract/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "partial"}))
    result = tada("extract", *options(data, run), "--check")
    assert result.exit_code == 0 and "6 videos complete, 0 clips made" in result.output
    assert read_manifest(run / "extract").complete


def test_a_training_has_no_shares(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    said = error_line(tada("bmn", *options(data, run), "--shard", "0/2"))
    assert "a training cannot be sharded" in said and "without --shard first" in said


def test_failures_of_all_shares_count_together(whole, data, tmp_path):
    """Each fails once a run, whoever tries it; what is too much is so for whoever finishes."""
    run, folder = tmp_path / "run", tmp_path / "data"
    shutil.copytree(data, folder)
    without_stages(whole, run, "extract")
    bad = ["validation_000", "validation_001"]
    for video in bad:
        (folder / f"videos/{video}.mp4").write_text("no video")
    line = ["extract", *options(folder, run)]
    assert tada(*line, "--shard", "0/2").exit_code == 0
    said = error_line(tada(*line, "--shard", "1/2"))
    assert "2 videos failed" in said and "--allow-failures 2" in said
    rows = json.loads((run / "extract/failures.json").read_text())
    assert [(row["video"], row["attempts"]) for row in rows] == [(video, 1) for video in bad]
    result = tada(*line, "--check", "--allow-failures", "2")
    assert result.exit_code == 0 and "extract: 4 videos complete" in result.output
    assert read_manifest(run / "extract").left_out == bad
    rows = json.loads((run / "extract/failures.json").read_text())
    assert [row["attempts"] for row in rows] == [1, 1], "to check is not to try"


def test_what_is_tried_again_is_no_failure_meanwhile(whole, data, tmp_path, forked):
    run, folder = tmp_path / "run", tmp_path / "data"
    shutil.copytree(data, folder)
    without_stages(whole, run, "extract")
    bad = folder / "videos/validation_000.mp4"
    bad.write_text("no video")
    line = ["extract", *options(folder, run)]
    assert tada(*line).exit_code == 1
    shutil.copy(data / "videos/validation_000.mp4", bad)
    result = tada(*line, "--shard", "0/6")
    assert result.exit_code == 0 and "1 videos of other shards are not done yet" in result.output
    process = forked.start(line)
    while not any(worker.holds for worker in workers_in(run / "extract")):
        time.sleep(0.005)
    os.kill(process, signal.SIGSTOP)
    for allowed in ("0", "1"):
        result = tada(*line, "--shard", "0/6", "--allow-failures", allowed)
        assert (
            result.exit_code == 0 and "1 videos of other shards are not done yet" in result.output
        )
        said = error_line(tada(*line, "--check", "--allow-failures", allowed))
        assert "1 failed (validation_000)" in said and f"process {process} on " in said
    os.kill(process, signal.SIGCONT)
    assert forked.wait(process) == 0, forked.said()
    same_stage(whole / "extract", run / "extract", "features/*")


def test_what_one_process_fails_at_no_other_tries(whole, data, tmp_path, forked):
    run, folder = tmp_path / "run", tmp_path / "data"
    shutil.copytree(data, folder)
    without_stages(whole, run, "extract")
    (folder / "videos/validation_000.mp4").write_text("no video")
    line = ["extract", *options(folder, run)]
    processes = [forked.start(line) for _ in range(3)]
    assert [forked.wait(process) for process in processes] == [1, 1, 1], forked.said()
    said = forked.said()
    assert said.count("video validation_000 failed") == 1
    assert said.count("1 videos failed (validation_000") == 3, "each says what came of it"
    rows = json.loads((run / "extract/failures.json").read_text())
    assert [row["attempts"] for row in rows] == [1]


def test_who_is_at_work_is_shown_and_other_settings_are_refused(whole, data, tmp_path, forked):
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    line = ["extract", *options(data, run)]
    process = forked.start(line)
    while not any(worker.holds for worker in workers_in(run / "extract")):
        time.sleep(0.005)
    os.kill(process, signal.SIGSTOP)
    table = tada("status", *options(data, run), "--json", str(tmp_path / "s.json")).output
    assert f"extract: process {process} on " in table and "videos made, makes " in table
    stages = {
        stage["stage"]: stage for stage in json.loads((tmp_path / "s.json").read_text())["stages"]
    }
    assert [one["pid"] for one in stages["extract"]["at_work"]] == [process]
    said = error_line(tada("extract", *options(data, run, "extract.stride=8")))
    assert f"process {process} on " in said and "is at work here with other settings" in said
    said = error_line(tada("run", *options(data, run, "finetune.epochs=3"), "--force"))
    assert f"in use by process {process} on " in said
    forked.kill(process)
    table = tada("status", *options(data, run)).output
    assert f"extract: process {process} on " in table and " has ended: " in table
    with locked(run):
        pass
    assert tada(*line).exit_code == 0
    same_stage(whole / "extract", run / "extract", "features/*")
