"""Several processes give what one gives: of the same weights to the last byte, trained within rounding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers.paths import ROOT
from helpers.seen_videos import encode, pictures
from helpers.small_runs import SMALL

from pipeline.data.order import deal, own_shard
from pipeline.demo.dataset import make_dataset
from pipeline.ranks import ranks

UNEVEN = ["finetune.batch_size=5", "bmn.batch_size=3"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder, train_videos=4, val_videos=2, seconds=14.0)
    return folder


def command(data: Path, run: Path, *more: str, processes: int, stage: str = "run") -> list[str]:
    launch = [sys.executable, "-m"]
    if processes > 1:
        launch += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    line = [*launch, "pipeline", stage, "--config", "demo", "--run-dir", str(run)]
    line += [f"dataset.videos={data / 'videos'}", "runtime.device=cpu", "runtime.workers=0"]
    return [*line, f"dataset.annotations={data / 'annotations.csv'}", *SMALL, *UNEVEN, *more]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def execute(line: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=300)


@pytest.fixture(scope="module")
def one(data, tmp_path_factory):
    """The run of one process."""
    run = tmp_path_factory.mktemp("runs") / "1"
    done = execute(command(data, run, processes=1))
    assert done.returncode == 0, done.stderr
    return run


def test_two_processes_give_what_one_gives(data, one, tmp_path):
    two = tmp_path / "2"
    done = execute(command(data, two, processes=2, stage="finetune"))
    assert done.returncode == 0, done.stderr
    weights = [
        torch.load(run / "finetune/model.pt", weights_only=True)["model"] for run in (one, two)
    ]
    assert weights[0].keys() == weights[1].keys()
    for key in weights[0]:
        torch.testing.assert_close(weights[1][key], weights[0][key], rtol=2e-3, atol=2e-4, msg=key)
    histories = [json.loads((run / "finetune/history.json").read_text()) for run in (one, two)]
    for ours, theirs in zip(*histories, strict=True):
        assert ours["total"] == pytest.approx(theirs["total"], rel=1e-3)


def test_two_processes_make_of_the_same_weights_what_one_makes_to_the_last_byte(
    data, one, tmp_path
):
    two = tmp_path / "2"
    two.mkdir()
    shutil.copy(one / "config.yaml", two)
    for stage in ("finetune", "bmn"):
        shutil.copytree(one / stage, two / stage, ignore=shutil.ignore_patterns("proposals"))
    done = execute(command(data, two, processes=2))
    assert done.returncode == 0, done.stderr
    assert "bmn: network complete" in done.stderr
    features = sorted((one / "extract/features").iterdir())
    assert len(features) == 6
    for path in features:
        assert path.read_bytes() == (two / "extract/features" / path.name).read_bytes()
    for name in ("bmn/proposals/proposals.csv", "classify/detections.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    # A finished run is finished for both, and what another setting touches is made again by both.
    before = {path: path.stat().st_mtime_ns for path in two.rglob("*.[cjp][sdt]*")}
    done = execute(command(data, two, processes=2))
    assert done.returncode == 0 and "classify: complete" in done.stderr, done.stderr
    assert {path: path.stat().st_mtime_ns for path in two.rglob("*.[cjp][sdt]*")} == before
    done = execute(command(data, two, "proposals.alpha=0.9", processes=2, stage="eval"))
    assert done.returncode == 0 and "bmn: 200 proposals" in done.stderr, done.stderr


def test_a_process_that_dies_ends_the_run_and_the_same_command_goes_on(data, tmp_path):
    run = tmp_path / "run"
    more = ("finetune.epochs=25", "finetune.checkpoint_seconds=0.01")
    line = command(data, run, *more, processes=2, stage="finetune")
    process = subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, text=True)
    while not (run / "finetune/checkpoint.pt").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(children.stdout.split()[-1]), 9)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0 and "SIGKILL" in said
    done = execute(line)
    assert done.returncode == 0 and "resuming from epoch" in done.stderr, done.stderr
    assert (run / "finetune/model.pt").is_file()


def test_a_batch_too_small_to_share_is_refused(data, tmp_path):
    line = command(data, tmp_path / "run", "finetune.batch_size=1", processes=2, stage="finetune")
    done = execute(line)
    assert done.returncode != 0
    assert "finetune.batch_size 1 cannot be shared by 2 processes; give at least 2" in done.stderr


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Four training videos and one to validate on of 64 x 48 pixels, and of 48 x 64."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "videos").mkdir()
    rows = []
    for number in range(10):
        video, subset = f"v{number}", "validation" if number < 2 else "training"
        frames = pictures([(64, 48), (48, 64)][number % 2], number, count=30)
        encode(folder / "videos" / f"{video}.mp4", frames)
        rows += [(video, 1.2 * place, 1.2 * place + 1, "ab"[place], subset) for place in range(2)]
    table = pd.DataFrame(rows, columns=["video", "start", "end", "label", "subset"])
    table.to_csv(folder / "annotations.csv", index=False)
    return folder


def test_two_processes_train_whole_frames_of_two_shapes_as_one_does(mixed, tmp_path):
    more = ("finetune.crop=whole", "finetune.keep=best", "finetune.flip=0.5")
    # Adam makes rounding as large as the gradients where those are almost nothing.
    more += ("finetune.optimizer=sgd", "finetune.base_lr=0.05")
    runs = [tmp_path / "1", tmp_path / "2"]
    for processes, run in enumerate(runs, start=1):
        done = execute(command(mixed, run, *more, processes=processes, stage="finetune"))
        assert done.returncode == 0, done.stderr
        assert "16 clips in batches of 5: 2 epochs of 4 steps" in done.stderr
    one, two = (torch.load(run / "finetune/model.pt", weights_only=True)["model"] for run in runs)
    for key in one:
        torch.testing.assert_close(two[key], one[key], rtol=2e-3, atol=2e-4, msg=key)
    histories = [json.loads((run / "finetune/history.json").read_text()) for run in runs]
    for ours, theirs in zip(*histories, strict=True):
        # Rounding grows with the steps; in float64 they agree (tests/benchmarks/test_processes.py).
        assert ours["total"] == pytest.approx(theirs["total"], rel=5e-3)
        assert ours["extract_top1"] == theirs["extract_top1"]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_parts_of_a_batch_make_it_up(monkeypatch, size):
    batch = list(range(13))
    parts = []
    for rank in range(size):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", str(size))
        assert ranks().is_main == (rank == 0)
        parts.append(own_shard(batch))
    assert sum(parts, []) == batch
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_videos_are_dealt_by_length():
    lengths = [100.0, 1.0, 50.0, 50.0, 1.0, 3.0]
    dealt = deal(lengths, 2)
    assert sorted(sum(dealt, [])) == list(range(6))
    loads = [sum(lengths[i] for i in part) for part in dealt]
    assert max(loads) - min(loads) <= 5
    assert deal([], 3) == [[], [], []]
