"""The proposals stage: a part a video, of which a killed run goes on, and one table of all."""

from __future__ import annotations

import json
import os
import shutil

import pandas as pd
import pytest
from helpers.small_runs import error_line, options, same_results, tada, without_stages

PARTS, TABLE = "bmn/proposals/videos", "bmn/proposals/proposals.csv"


@pytest.fixture
def killed(whole, tmp_path):
    """A run killed after its parts were written, before their table was."""
    run = tmp_path / "run"
    without_stages(whole, run, "classify")
    (run / TABLE).unlink()
    path = run / "bmn/proposals/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "partial"}))
    return run


def test_the_table_is_the_parts_in_the_videos_order(whole, data):
    table = pd.read_csv(whole / TABLE)
    rows = pd.read_csv(data / "annotations.csv").query("subset == 'validation'")
    videos = list(rows["video"].unique())
    assert sorted(path.stem for path in (whole / PARTS).iterdir()) == sorted(videos)
    parts = [pd.read_csv(whole / PARTS / f"{video}.csv") for video in videos]
    pd.testing.assert_frame_equal(table, pd.concat(parts, ignore_index=True))
    for part in parts:  # best first
        assert part["score"].is_monotonic_decreasing and (part["start"] < part["end"]).all()
    summary = json.loads((whole / "bmn/proposals/manifest.json").read_text())["summary"]
    assert summary == {"proposals": len(table), "videos": len(videos), "left_out": []}


def test_parts_that_are_there_are_taken_and_the_others_made(whole, data, killed):
    kept, gone = sorted((killed / PARTS).iterdir())
    gone.unlink()
    before = kept.stat().st_mtime_ns
    done = tada("bmn", *options(data, killed))
    assert done.exit_code == 0 and "bmn: network complete" in done.output, done.output
    assert kept.stat().st_mtime_ns == before
    assert gone.read_bytes() == (whole / PARTS / gone.name).read_bytes()
    assert (killed / TABLE).read_bytes() == (whole / TABLE).read_bytes()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "video,start,end,score\nstranger,0,1,0.5\n"])
def test_a_damaged_part_is_made_again(whole, data, killed, text):
    part, kept = sorted((killed / PARTS).iterdir())
    part.write_text(text)
    before = kept.stat().st_mtime_ns
    done = tada("bmn", *options(data, killed))
    assert done.exit_code == 0 and "bmn: 200 proposals of 2 videos" in done.output, done.output
    assert kept.stat().st_mtime_ns == before
    assert part.read_bytes() == (whole / PARTS / part.name).read_bytes()
    assert (killed / TABLE).read_bytes() == (whole / TABLE).read_bytes()


@pytest.mark.parametrize("text", [None, "", "video,start\n"])
def test_a_damaged_table_is_made_again_of_its_parts(whole, data, tmp_path, text):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / TABLE).unlink() if text is None else (run / TABLE).write_text(text)
    before = {path: path.stat().st_mtime_ns for path in (run / PARTS).iterdir()}
    why = "proposals.csv is " + ("gone" if text is None else "not what was written")
    assert why in tada("status", *options(data, run)).output
    shutil.rmtree(run / "classify")
    done = tada("classify", *options(data, run))
    assert done.exit_code == 0 and "bmn: 200 proposals of 2 videos" in done.output, done.output
    assert (run / TABLE).read_bytes() == (whole / TABLE).read_bytes()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "stale" not in tada("status", *options(data, run)).output
    same_results(whole, run)


def test_a_complete_stage_reads_no_network(whole, data, tmp_path):
    """It is looked at from outside, which tells what was changed later; `--verify` tells the rest."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    model = run / "bmn/model.pt"
    found = model.stat()
    model.write_bytes(bytes(found.st_size))
    os.utime(model, ns=(found.st_atime_ns, found.st_mtime_ns))
    done = tada("bmn", *options(data, run))
    assert done.exit_code == 0 and "proposals: complete, nothing to do" in done.output
    said = error_line(tada("bmn", *options(data, run), "--verify"))
    assert "bmn/model.pt" in said and "model.pt is not what was written" in said
    model.write_bytes(bytes(found.st_size))
    assert error_line(tada("bmn", *options(data, run))) == said


def test_parts_that_nobody_recorded_are_not_believed(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    part = run / "bmn/proposals/videos/validation_000.csv"
    content = part.read_bytes()
    (run / "bmn/proposals/videos.jsonl").unlink()
    part.write_text("video,start,end,score\nvalidation_000,1.0,2.0,0.5\n")
    assert tada("run", *options(data, run)).exit_code == 0
    assert part.read_bytes() == content


def test_a_network_that_proposes_nothing_is_an_error_and_few_videos_without_are_said(
    data, killed, monkeypatch
):
    from pipeline.stages.heads import proposals

    real, calls = proposals.propose_video, []
    for part in (killed / PARTS).iterdir():
        part.unlink()
    monkeypatch.setattr(proposals, "propose_video", lambda *a: real(*a)[:0])
    for command in ("bmn", "run", "bmn"):
        result = tada(command, *options(data, killed))
        assert result.exit_code == 1
        line = error_line(result)
        assert "bmn: no proposal for any of 2 videos" in line and "bmn.min_steps" in line
        assert not (killed / TABLE).exists()
    for part in (killed / PARTS).iterdir():
        part.unlink()

    def some(*arguments):
        calls.append(arguments)
        return real(*arguments)[: None if len(calls) > 1 else 0]

    monkeypatch.setattr(proposals, "propose_video", some)
    result = tada("bmn", *options(data, killed))
    assert result.exit_code == 0 and "1 of 2 videos have no proposal (" in result.output


MAPS = "bmn/proposals/maps"


def test_maps_are_kept_and_proposals_of_other_settings_need_no_network(
    whole, data, tmp_path, monkeypatch
):
    from pipeline.results import proposing

    run, other = tmp_path / "run", tmp_path / "other"
    for copy in (run, other):
        without_stages(whole, copy, "classify")
    shutil.rmtree(other / MAPS)
    more = ("proposals.alpha=0.9", "proposals.cls_power=0.5")
    assert tada("bmn", *options(data, other, *more)).exit_code == 0
    before = {path: path.read_bytes() for path in (whole / MAPS).iterdir()}
    assert {path.name for path in before} == {
        "validation_000.npz", "validation_001.npz", "videos.jsonl",
    }  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(proposing, "video_maps", None)  # nothing calls it
        assert tada("bmn", *options(data, run, *more)).exit_code == 0
    assert (run / TABLE).read_bytes() == (other / TABLE).read_bytes()
    assert (run / TABLE).read_bytes() != (whole / TABLE).read_bytes()
    for path, content in before.items():  # made again they are the same
        if path.suffix == ".npz":
            assert (other / MAPS / path.name).read_bytes() == content


def test_maps_of_another_network_are_not_taken(whole, data, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    for copy in (run, other):
        without_stages(whole, copy, "classify")
    shutil.rmtree(other / MAPS)
    for copy in (run, other):
        assert tada("bmn", *options(data, copy, "bmn.seed=3"), "--force").exit_code == 0
    assert (run / TABLE).read_bytes() == (other / TABLE).read_bytes()
    for name in ("validation_000.npz", "validation_001.npz"):
        assert (run / MAPS / name).read_bytes() == (other / MAPS / name).read_bytes()
        assert (run / MAPS / name).read_bytes() != (whole / MAPS / name).read_bytes()


def test_without_kept_maps_the_results_are_the_same_and_a_run_stays_valid(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    done = tada("run", *options(data, run, "bmn.keep_maps=false"))
    assert done.output.count("nothing to do") == 5, done.output
    shutil.rmtree(run / "bmn/proposals")
    assert tada("run", *options(data, run, "bmn.keep_maps=false")).exit_code == 0
    assert not (run / MAPS).exists()
    same_results(whole, run)
