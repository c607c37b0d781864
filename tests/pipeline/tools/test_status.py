"""The table of `tada-loc status`: a row per stage, in order, each state with what it needs said."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
from helpers.small_runs import options, tada, without_stages

from pipeline.configuration.reading import find_config, load_config
from pipeline.runs.run import Run
from pipeline.runs.ways import in_order
from pipeline.tools.status import COLUMNS, standings, status_table


@pytest.fixture
def run(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("video,start,end,label,subset\nv,0,2,grow,validation\nt,0,2,grow,training\n")
    config = load_config(find_config("demo"), {"dataset.annotations": str(rows)})
    return Run(tmp_path / "run", config)


def table_of(run: Run) -> str:
    return status_table(run, standings(run))


def cells(table: str) -> dict[str, list[str]]:
    """The cells of each stage's row, by two spaces or more."""
    rows = [re.split(r" {2,}", line) for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_a_new_run_has_every_stage_missing(run):
    table = table_of(run)
    first, titles, *rows = table.splitlines()
    assert first == f"run folder {run.folder}"
    assert re.split(r" {2,}", titles) == list(COLUMNS)
    assert [row.split()[:2] for row in rows] == [[s.folder, "missing"] for s in in_order()]
    assert not run.folder.exists(), "looking makes nothing"


def test_progress_state_and_reason_are_shown(run):
    stage = run.open("finetune")
    stage.progress(3, 10)
    state, progress, took, when = cells(table_of(run))["finetune"]
    assert (state, progress) == ("partial", "3/10") and re.fullmatch(r"\d+ (s|min)", took)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", when)
    for output in stage.outputs:
        (stage.folder / output).write_text("made")
    stage.finish()
    assert cells(table_of(run))["finetune"][:2] == ["complete", "done"]
    given = run.given.model_copy(
        update={"finetune": run.given.finetune.model_copy(update={"epochs": 999})}
    )
    row = cells(table_of(Run(run.folder, given)))["finetune"]
    assert row[0] == "stale" and row[-1] == f"finetune.epochs: {run.config.finetune.epochs} -> 999"


def test_columns_stand_under_their_titles(run):
    run.open("finetune").progress(3, 10)
    _, titles, *rows = table_of(run).splitlines()
    at = titles.index("state")
    assert all(row[at - 1] == " " != row[at] for row in rows)
    assert all(row == row.rstrip() for row in rows)


def test_the_command_prints_it(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "classify")
    done = tada("status", *options(data, run))
    assert done.exit_code == 0
    states = {name: row[0] for name, row in cells(done.stdout).items()}
    assert states == {
        "finetune": "complete", "extract": "complete", "bmn": "complete",
        "bmn/proposals": "complete", "classify": "missing", "eval": "missing",
    }  # fmt: skip
    other = cells(tada("status", *options(data, run, "proposals.alpha=0.7")).stdout)
    assert other["bmn/proposals"][0] == "stale" and "alpha" in other["bmn/proposals"][-1]
    other = cells(tada("status", *options(data, run, "bmn.feature_step=2")).stdout)
    for name in ("bmn", "bmn/proposals"):  # which both depend on the key
        reasons = other[name][-1].split("; ")
        assert reasons.count("bmn.feature_step: 1 -> 2") == 1, reasons


def told(data, run, *more, sets=()):
    """What `status --json` writes, by stage, and what it prints."""
    path = run.parent / "status.json"
    done = tada("status", *options(data, run, *sets), "--json", str(path), *more)
    assert done.exit_code == 0, done.output
    content = json.loads(path.read_text())
    assert content["run"] == str(run)
    return {stage["stage"]: stage for stage in content["stages"]}, done.output


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def test_as_json_every_stage_has_its_state_its_hours_and_its_command(copy, data):
    stages, _ = told(data, copy)
    assert list(stages) == [stage.folder for stage in in_order()]
    for stage in in_order():
        found = stages[stage.folder]
        keys = {"stage", "command", "state", "why", "videos", "hours", "updated", "at_work"}
        assert set(found) == keys
        assert (found["state"], found["why"], found["command"]) == ("complete", "", stage.command)
        assert 0 < found["hours"] < 1 and found["updated"].startswith("20")
        assert not any(found["videos"].values())


def test_as_json_every_video_concerned_is_named(copy, data):
    for number in range(4):
        (copy / f"extract/features/training_{number:03d}.h5").write_bytes(b"damaged")
    for number in range(2):
        (copy / f"extract/features/validation_{number:03d}.h5").unlink()
    stages, printed = told(data, copy)
    names = [f"training_{n:03d}" for n in range(4)] + [f"validation_{n:03d}" for n in range(2)]
    assert stages["extract"]["state"] == "stale"
    assert sorted(stages["extract"]["videos"]["stale"]) == names
    assert stages["extract"]["videos"]["missing"] == []
    assert stages["extract"]["why"] in printed
    assert "not what was written: training_000" in printed and "gone: validation_000" in printed
    (copy / "extract/videos.jsonl").unlink()
    stages, _ = told(data, copy)
    assert sorted(stages["extract"]["videos"]["missing"]) == names


@pytest.mark.parametrize(
    "name", ["extract/manifest.json", "eval/manifest.json", "extract/failures.json"]
)
def test_what_is_damaged_is_said_in_its_place(copy, data, name):
    (copy / name).write_text("{")
    stages, printed = told(data, copy)
    folder = name.partition("/")[0]
    assert stages[folder]["state"] == "stale" and name in stages[folder]["why"] and name in printed
    assert stages["finetune"]["state"] == "complete"


def test_annotations_that_cannot_be_read_leave_every_stage_with_the_reason(copy, data):
    own = f"dataset.annotations={copy / 'none.csv'}"
    shutil.rmtree(copy / "eval")
    stages, _ = told(data, copy, sets=[own])
    assert all("none.csv" in stage["why"] for stage in stages.values())
    assert [stage["state"] for stage in stages.values()] == ["stale"] * 5 + ["missing"]


def test_a_run_that_is_not_there_is_missing_as_json_too(tmp_path, data):
    stages, _ = told(data, tmp_path / "none")
    assert [stage["state"] for stage in stages.values()] == ["missing"] * 6
    assert all((stage["hours"], stage["updated"]) == (0, None) for stage in stages.values())
    assert not (tmp_path / "none").exists()


def test_what_looks_as_it_was_written_is_read_where_that_is_asked_for(copy, data):
    path = copy / "extract/features/validation_001.h5"
    found, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert told(data, copy)[0]["extract"]["state"] == "complete"
    stages, _ = told(data, copy, "--verify")
    assert stages["extract"]["videos"]["stale"] == ["validation_001"]


def test_what_it_says_is_what_the_run_then_does(copy, data):
    """Of a video that is skipped: it goes from what is measured, and no training is touched."""
    skip = copy.parent / "skip.txt"
    skip.write_text("validation_000\n")
    stages, _ = told(data, copy, "--skip", str(skip))
    stale = [name for name, stage in stages.items() if stage["state"] == "stale"]
    assert stale == ["bmn/proposals", "classify", "eval"]
    before = {name: (copy / name / "manifest.json").stat().st_mtime_ns for name in stages}
    assert tada("run", *options(data, copy), "--skip", str(skip)).exit_code == 0
    made = [n for n in stages if (copy / n / "manifest.json").stat().st_mtime_ns != before[n]]
    assert made == stale
    stages, _ = told(data, copy, "--skip", str(skip))
    assert [stage["state"] for stage in stages.values()] == ["complete"] * 6


def test_it_changes_nothing(copy, data):
    (copy / "bmn/proposals/proposals.csv").write_text("damaged")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files(copy)}
    told(data, copy, "--verify")
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files(copy)} == before


def files(run):
    return [path for path in run.rglob("*") if path.is_file()]
