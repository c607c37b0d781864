"""The report of a run: made of its results, never stale, and never in the way of them."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from helpers.small_runs import error_line, options, tada

from pipeline.tools.report import making

PAGE = "report/index.html"


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def held(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1])


def test_run_leaves_a_small_report_and_says_where(whole):
    page = whole / PAGE
    assert "small" in re.search(r'made-of" content="([^"]*)"', page.read_text())[1]
    found = held(page)
    assert [len(one["losses"]["total"]) for one in found["trainings"]] == [2, 2]
    assert found["maps"]["rows"][0]["average"] == pytest.approx(
        json.loads((whole / "eval/results.json").read_text())["tasks"]["mAP"]["average"], abs=0.006
    )
    assert not any(one["frames"] for one in found["mistakes"])
    assert len(found["videos"]["rows"]) == 2


def test_eval_says_the_page_last_and_makes_it_once(data, run):
    before = (run / PAGE).stat().st_mtime_ns
    done = tada("eval", *options(data, run))
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == done.stderr.splitlines()[-1] == f"report: {run / PAGE}"
    assert "report" not in done.stdout
    assert (run / PAGE).stat().st_mtime_ns == before


def test_other_results_make_another_page(data, run):
    before = held(run / PAGE)["maps"]["iou"]
    assert tada("eval", *options(data, run, "eval.iou=[0.3,0.4]")).exit_code == 0
    assert held(run / PAGE)["maps"]["iou"] == [0.3, 0.4] != before
    assert tada("eval", *options(data, run)).exit_code == 0
    assert held(run / PAGE)["maps"]["iou"] == before


def test_the_whole_report_has_frames_and_is_left_by_eval(data, run):
    done = tada("report", *options(data, run))
    assert done.exit_code == 0 and done.stdout == f"{run / PAGE}\n"
    whole = (run / PAGE).read_bytes()
    assert any(one["frames"] for one in held(run / PAGE)["mistakes"])
    assert tada("eval", *options(data, run)).exit_code == 0
    assert (run / PAGE).read_bytes() == whole


def test_it_goes_where_it_is_told(data, run, tmp_path):
    done = tada("report", *options(data, run), "--to", str(tmp_path / "there"))
    assert done.exit_code == 0 and (tmp_path / "there/index.html").is_file()
    path = held(tmp_path / "there/index.html")["videos"]["paths"][0]
    assert (tmp_path / "there" / path).resolve() == (data / "videos/validation_000.mp4").resolve()


def test_stale_results_are_not_shown(data, run):
    done = tada("report", *options(data, run, "proposals.count=3"))
    assert done.exit_code == 1 and "run `tada-loc eval" in error_line(done)
    shutil.rmtree(run / "eval")
    assert "run `tada-loc eval" in error_line(tada("report", *options(data, run)))


def test_a_run_that_is_not_there_is_said(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--annotations", "nowhere.csv"]):
        done = tada("report", "--run-dir", "nope", *more)
        assert done.exit_code == 1 and error_line(done) == "Error: nope: no such run folder"


def test_options_that_do_nothing_are_refused(data, run):
    done = tada("report", *options(data, run), "--unknown-videos", "count")
    assert done.exit_code == 2 and "--detections" in error_line(done)
    line = ["--detections", "found.csv", "--annotations", "truth.csv"]
    for more in (["--skip", "ids.txt"], ["runtime.skip=ids.txt"]):
        done = tada("report", *line, *more)
        assert done.exit_code == 2 and "has no effect when a file is scored" in error_line(done)


def test_results_are_shown_where_no_report_can_be_written(data, run, monkeypatch):
    shutil.rmtree(run / "report")
    (run / "report").write_text("in the way")
    done = tada("eval", *options(data, run))
    assert done.exit_code == 0 and "mAP" in done.stdout
    assert "report: not written" in done.stderr.splitlines()[-1]


def test_without_videos_it_says_so(data, run, tmp_path):
    done = tada(
        "report", *options(data, run, f"dataset.videos={tmp_path / 'none'}"), "--to", str(tmp_path)
    )
    assert done.exit_code == 0, done.output
    assert "videos are missing" in (tmp_path / "index.html").read_text()
    assert not any(one["frames"] for one in held(tmp_path / "index.html")["mistakes"])


def test_the_program_that_makes_it_is_part_of_what_it_is(run, monkeypatch):
    from pipeline.runs.run import run_of

    before = (run / PAGE).read_bytes()
    assert making.make_small_report(run_of(run)) == run / PAGE
    monkeypatch.setattr(making, "program", lambda: "another")
    assert making.make_small_report(run_of(run)) == run / PAGE
    assert (run / PAGE).read_bytes() != before


def test_settings_that_differ_are_listed(data, run):
    text = (run / PAGE).read_text()
    assert "Settings that differ from the shipped demo.yaml" in text
    assert "finetune.epochs" in text and "Time of each stage" in text
    assert "dataset.annotations" not in text


def test_a_file_of_detections_needs_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.csv").write_text(
        "video,start,end,label,subset\na,0,5,x,validation\na,8,9,y,validation\nb,0,2,x,validation\nc,0,1,x,training\n"
    )
    (tmp_path / "found.csv").write_text(
        "video,start,end,label,score\na,0,5,x,0.9\na,8,9,x,0.5\nb,1,4,x,0.3\n"
    )
    done = tada("report", "--detections", "found.csv", "--annotations", "truth.csv")
    assert done.exit_code == 0, done.output
    assert done.stdout == "report/index.html\n"
    found = held(tmp_path / "report/index.html")
    assert [row[0] for row in found["videos"]["rows"]] == ["a", "b"]
    assert found["trainings"] == [] and found["recall"] == [] and found["without"] == ["proposals"]
    assert "There is no run" in (tmp_path / "report/index.html").read_text()


def test_what_a_file_needs_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = tada("report", "--detections", "found.csv")
    assert done.exit_code == 2 and "--annotations" in error_line(done)
    (tmp_path / "truth.csv").write_text("video,start,end,label\na,0,5,x\n")
    (tmp_path / "found.csv").write_text("video,start,end,score\na,0,5,0.9\n")
    done = tada("report", "--detections", "found.csv", "--annotations", "truth.csv")
    assert done.exit_code == 1 and "holds proposals" in error_line(done)
