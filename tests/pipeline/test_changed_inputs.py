"""Inputs that change between two commands: what depends on them is made again, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import av
import pandas as pd
import pytest
from helpers.small_runs import MADE, error_line, options, same_results, tada

from pipeline.runs.ways import in_order

STAGES = [stage.folder for stage in in_order()]


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


@pytest.fixture
def own(data, tmp_path):
    """A copy of the dataset, to be changed."""
    return shutil.copytree(data, tmp_path / "data")


def stale(data, run):
    """The stages that `status` says are to be made again."""
    rows = [line.split() for line in tada("status", *options(data, run)).output.splitlines()[2:8]]
    assert [row[0] for row in rows] == STAGES
    return [row[0] for row in rows if row[1] != "complete"]


def written(run):
    """When each result was written: networks, features, parts and tables."""
    found = [*map(run.joinpath, MADE), *run.rglob("*.h5"), *run.rglob("videos/*")]
    return {path.relative_to(run).as_posix(): path.stat().st_mtime_ns for path in found}


def made_again(run, before):
    return sorted(name for name, time in written(run).items() if before.get(name) != time)


def does_nothing(data, run):
    before = written(run)
    assert stale(data, run) == []
    done = tada("run", *options(data, run))
    assert done.exit_code == 0 and made_again(run, before) == [], done.output
    return done.output


def test_videos_that_are_touched_copied_or_moved_cost_nothing(run, own, tmp_path):
    for path in (own / "videos").iterdir():
        os.utime(path)
    does_nothing(own, run)
    moved = tmp_path / "elsewhere"
    (moved / "videos/deeper").mkdir(parents=True)
    shutil.copy(own / "annotations.csv", moved)
    for path in (own / "videos").iterdir():
        shutil.copy(path, moved / "videos/deeper" / f"v_{path.name}")
    does_nothing(moved, run)


def repack(path: Path, suffix: str) -> Path:
    """The same pictures in another file, in place of the first."""
    other = path.with_name(f"new_{path.stem}{suffix}")
    with av.open(str(path)) as old, av.open(str(other), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    assert other.read_bytes() != path.read_bytes()
    path.unlink()
    return other.rename(path.with_suffix(suffix))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_videos_that_are_packed_anew_cost_nothing_and_that_is_said(whole, run, own, suffix):
    for name in ("training_001", "validation_000"):
        repack(own / f"videos/{name}.mp4", suffix)
    said = "2 video files changed but show the same frames (training_001, validation_000)"
    assert said in tada("status", *options(own, run)).output
    does_nothing(own, run)
    # Also what is made from now on is made of the video that it was.
    shutil.rmtree(run / "bmn")
    done = tada("run", *options(own, run))
    assert done.exit_code == 0 and said in done.output, done.output
    same_results(whole, run)


def test_another_evaluation_video_costs_itself(whole, run, own, tmp_path):
    """And gives what a run gives that has never seen the former one."""
    shutil.copy(own / "videos/validation_001.mp4", own / "videos/validation_000.mp4")
    assert stale(own, run) == ["extract", "bmn/proposals", "classify", "eval"]
    before = written(run)
    done = tada("run", *options(own, run))
    assert done.exit_code == 0, done.output
    assert "of another video file (validation_000), made again" in done.output
    assert made_again(run, before) == [
        "bmn/proposals/proposals.csv",
        "bmn/proposals/videos/validation_000.csv",
        "classify/detections.csv",
        "classify/videos/validation_000.npz",
        "eval/results.json",
        "extract/features/validation_000.h5",
    ]
    fresh = tmp_path / "fresh"
    for name in ("finetune", "bmn"):
        shutil.copytree(whole / name, fresh / name)
    shutil.rmtree(fresh / "bmn/proposals")
    assert tada("run", *options(own, fresh)).exit_code == 0
    same_results(fresh, run)


def test_a_video_that_is_put_back_gives_the_former_results(whole, run, own, data):
    video = own / "videos/validation_000.mp4"
    shutil.copy(own / "videos/validation_001.mp4", video)
    assert tada("run", *options(own, run)).exit_code == 0
    shutil.copy(data / "videos/validation_000.mp4", video)
    assert tada("run", *options(own, run)).exit_code == 0
    same_results(whole, run)
    assert tada("verify", *options(own, run)).exit_code == 0


@pytest.mark.parametrize("command", ["finetune", "extract", "bmn", "classify", "eval", "run"])
def test_another_training_video_stops_every_command(run, own, command):
    shutil.copy(own / "videos/training_000.mp4", own / "videos/training_001.mp4")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = error_line(tada(command, *options(own, run)))
    assert "training videos changed: training_001" in said and "--force" in said
    assert "it took " in said
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_videos_that_are_gone_are_as_they_were(whole, run, own):
    shutil.rmtree(own / "videos")
    does_nothing(own, run)
    for name in ("bmn", "classify", "eval"):
        shutil.rmtree(run / name)
    for command in ("bmn", "classify", "eval"):
        done = tada(command, *options(own, run))
        assert done.exit_code == 0, done.output
    same_results(whole, run)


def change_rows(own, change):
    path = own / "annotations.csv"
    change(pd.read_csv(path)).to_csv(path, index=False)


def one_more(subset):
    def change(table):
        row = table[table["subset"] == subset].iloc[:1].assign(start=0.25, end=0.75)
        return pd.concat([table, row])

    return change


def test_rows_in_another_order_cost_nothing(run, own):
    change_rows(own, lambda table: table.iloc[::-1])
    does_nothing(own, run)


def test_a_segment_to_be_measured_on_concerns_eval_alone(run, own):
    change_rows(own, one_more("validation"))
    assert stale(own, run) == ["eval"]
    before = written(run)
    assert tada("run", *options(own, run)).exit_code == 0
    assert made_again(run, before) == ["eval/results.json"]
    does_nothing(own, run)


def test_a_training_segment_moves_both_trainings_aside_and_back(whole, run, own, data):
    change_rows(own, one_more("training"))
    said = error_line(tada("run", *options(own, run)))
    assert "training segments changed: training_000" in said and "--force" in said
    same_results(whole, run)
    done = tada("run", *options(own, run), "--force")
    assert done.exit_code == 0, done.output
    assert len(list(run.glob("finetune.*"))) == len(list(run.glob("bmn.*"))) == 1
    does_nothing(own, run)
    # With the former segments both are taken back, and trained by nobody.
    shutil.copy(data / "annotations.csv", own)
    done = tada("run", *options(own, run))
    assert done.exit_code == 0 and done.output.count("is restored") == 2, done.output
    assert "epoch" not in done.output
    same_results(whole, run)
    assert tada("verify", *options(own, run)).exit_code == 0


def test_a_video_that_is_new_is_made_and_no_other(run, own):
    shutil.copy(own / "videos/validation_001.mp4", own / "videos/validation_002.mp4")

    def change(table):
        rows = table[table["video"] == "validation_001"]
        return pd.concat([table, rows.assign(video="validation_002")])

    change_rows(own, change)
    before = written(run)
    assert stale(own, run) == ["extract", "bmn/proposals", "classify", "eval"]
    assert tada("run", *options(own, run)).exit_code == 0
    again = made_again(run, before)
    assert [name for name in again if "_00" in name] == [
        "bmn/proposals/videos/validation_002.csv",
        "classify/videos/validation_002.npz",
        "extract/features/validation_002.h5",
    ]


def test_a_video_that_is_no_longer_annotated_goes_from_what_is_measured(run, own):
    change_rows(own, lambda table: table[table["video"] != "validation_000"])
    assert stale(own, run) == ["bmn/proposals", "classify", "eval"]
    assert tada("run", *options(own, run)).exit_code == 0
    for name in ("bmn/proposals/proposals.csv", "classify/detections.csv"):
        assert set(pd.read_csv(run / name)["video"]) == {"validation_001"}
    does_nothing(own, run)


def test_thresholds_that_were_asked_for_once_do_not_stay(whole, run):
    done = tada("eval", "--run-dir", str(run), "--iou", "0.5")
    assert done.exit_code == 0 and "@0.55" not in done.stdout
    assert json.loads((run / "eval/results.json").read_text())["iou"] == [0.5]
    done = tada("eval", "--run-dir", str(run))
    assert done.exit_code == 0 and "@0.55" in done.stdout
    assert (run / "eval/results.json").read_bytes() == (whole / "eval/results.json").read_bytes()
