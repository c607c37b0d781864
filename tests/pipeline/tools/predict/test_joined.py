"""Many processes predict into one folder: killed or not, with shares or without, what they leave is that of one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from helpers.forked import Forked
from helpers.small_runs import error_line, tada

from pipeline.run_folder.joined.seen import workers_in
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.lock import LOCK

FORMS = ("--subtitles", "--timeline", "--label-studio", "--top", "5")


@pytest.fixture
def place(data, tmp_path, monkeypatch):
    """A folder to be in, with six videos."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data / "videos", "videos")
    for path in sorted(Path("videos").iterdir())[6:]:
        path.unlink()
    return tmp_path


@pytest.fixture
def forked(tmp_path):
    folder = tmp_path / "said"
    folder.mkdir()
    server = Forked(folder, "pipeline.tools.predict.running")
    yield server
    server.close()


def line(place, whole, to: str, *more: str) -> list[str]:
    """A command line, of one process."""
    given = ["predict", str(place / "videos"), "--run-dir", str(whole), "--to", str(place / to)]
    return [*given, "--device", "cpu", "--workers", "0", *more]


def same_predictions(one: Path, two: Path) -> None:
    """All files byte for byte, and all that is recorded of them but when."""
    apart = {LOCK, "videos.jsonl"}
    names, others = (
        sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        for folder in (one, two)
    )
    assert names == others
    for name in names:
        if name.name not in apart:
            assert (one / name).read_bytes() == (two / name).read_bytes(), name
    for place in (".", "raw", "videos"):
        ours, theirs = (
            {
                made.video: (made.by, made.of, made.content)
                for made in Ledger(folder / place).lines.values()
            }
            for folder in (one, two)
        )
        assert ours == theirs
        lines = (two / place / "videos.jsonl").read_text().split("\n")
        assert len(list(filter(None, lines))) == len(theirs)
    assert not list(two.rglob(".tada-work"))


def kill_some(forked: Forked, arguments: list[str], folder: Path, kills: int, chance) -> int:
    """Three processes at work, of which one is killed again and again while it holds a video; how many were."""
    is_done = (folder / "detections.csv").exists
    return forked.kill_some(
        arguments, folder, kills, chance, processes=3, within=0.3, is_done=is_done
    )


def test_three_processes_that_are_killed_equal_one(place, whole, forked):
    assert tada(*line(place, whole, "one", *FORMS)).exit_code == 0
    arguments = line(place, whole, "two", *FORMS)
    assert kill_some(forked, arguments, Path("two"), 4, random.Random(0)) >= 2
    same_predictions(Path("one"), Path("two"))
    said = forked.said()
    assert "predict: joins " in said and "renamed to" not in said
    # Of what they have made other forms and fewer detections, by two at once.
    other = ("--top", "3", "--elan")
    assert tada(*line(place, whole, "one", *other)).exit_code == 0
    arguments = line(place, whole, "two", *other)
    assert [forked.wait(one) for one in [forked.start(arguments) for _ in range(2)]] == [0, 0]
    assert "renamed to" not in forked.said()
    for name in ("detections.csv", "detections.json", "videos/validation_000.json"):
        assert (Path("one") / name).read_bytes() == (Path("two") / name).read_bytes(), name


@pytest.mark.slow
def test_twenty_kills(place, whole, forked):
    assert tada(*line(place, whole, "one", *FORMS)).exit_code == 0
    chance, killed = random.Random(1), 0
    for number in range(20):
        arguments = line(place, whole, "two", *FORMS, "--workers", str(2 * (number % 3 == 2)))
        killed += kill_some(forked, arguments, Path("two"), 6, chance)
        same_predictions(Path("one"), Path("two"))
        shutil.rmtree("two")
        if killed >= 20:
            break
    print(f"{killed} kills survived")
    assert killed >= 20


def test_shares_together_are_all_and_the_last_finishes(place, whole, monkeypatch):
    assert tada(*line(place, whole, "one")).exit_code == 0
    arguments = line(place, whole, "two")
    result = tada(*arguments, "--shard", "1/3")
    assert result.exit_code == 0, result.output
    assert "shard 1/3 is done; 4 videos of other shards are not done yet" in result.output
    assert "in 2 videos" in result.output and not Path("two/detections.csv").exists()
    for name, value in (("ID", "1"), ("MIN", "1"), ("MAX", "3")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    result = tada(*arguments)
    assert "predict: shard 0/3 (SLURM_ARRAY_TASK_ID" in result.output
    assert "2 videos of other shards are not done yet" in result.output
    result = tada(*arguments, "--shard", "2/3")
    assert result.exit_code == 0
    assert "4 of 6 videos were made by other processes" in result.output
    same_predictions(Path("one"), Path("two"))
    # A task of an array that is given one video of its own makes it.
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    given = ["predict", "videos/training_000.mp4", "--run-dir", str(whole), "--to", "own"]
    result = tada(*given, "--device", "cpu", "--workers", "0")
    assert result.exit_code == 0 and Path("own/videos/training_000.csv").exists()
    assert "shard" not in result.output


def test_what_fails_is_tried_once_and_counts_for_all(place, whole, forked):
    Path("videos/broken.mp4").write_text("no video")
    arguments = line(place, whole, "found")
    codes = [forked.wait(one) for one in [forked.start(arguments) for _ in range(3)]]
    said = forked.said()
    assert codes == [1, 1, 1], said
    assert said.count("video broken failed") == 1
    assert said.count("1 videos failed (broken") == 3
    (row,) = json.loads(Path("found/failures.json").read_text())
    assert (row["video"], row["attempts"]) == ("broken", 1)
    assert len(Ledger(Path("found/raw")).lines) == 6 and Path("found/detections.csv").exists()
    # A later call tries it again; of shares the one that has it.
    shares = [tada(*arguments, "--shard", f"{index}/2") for index in range(2)]
    assert sum(result.output.count("video broken failed") for result in shares) == 1
    assert tada(*arguments, "--allow-failures", "1").exit_code == 0


def test_other_settings_are_refused_while_one_is_at_work(place, whole, forked):
    arguments = line(place, whole, "found")
    process = forked.start(arguments)
    while not any(worker.holds for worker in workers_in(Path("found"))):
        time.sleep(0.005)
    os.kill(process, signal.SIGSTOP)
    shutil.copy("videos/training_000.mp4", "another.mp4")
    for more in (("--top", "3"), ("--precision", "bfloat16"), ("another.mp4",)):
        said = error_line(tada(*arguments, *more))
        assert f"process {process} on " in said and "is at work here with other settings" in said
    forked.kill(process)
    assert tada(*arguments, "--top", "3").exit_code == 0
    assert not list(Path("found").rglob(".tada-work"))


def test_a_folder_of_the_user_called_work_stays(place, whole):
    Path("videos/work").mkdir()
    Path("videos/work/notes.txt").write_text("mine")
    arguments = line(place, whole, "videos", "--top", "1")
    assert tada(*arguments).exit_code == 0 and tada(*arguments).exit_code == 0
    assert Path("videos/work/notes.txt").read_text() == "mine"
