"""The table of `tada-loc status`: a row a stage, in order, each state with what it needs said."""

from __future__ import annotations

import re

import pytest
from helpers.small_runs import options, tada, without_stages

from pipeline.configuration.reading import find_config, load_config
from pipeline.runs.graph import in_order
from pipeline.runs.run import Run
from pipeline.tools.status import COLUMNS, status_table


@pytest.fixture
def run(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("video,start,end,label,subset\nv,0,2,grow,validation\nt,0,2,grow,training\n")
    config = load_config(find_config("demo"), {"dataset.annotations": str(rows)})
    return Run(tmp_path / "run", config)


def cells(table: str) -> dict[str, list[str]]:
    """The cells of each stage's row, by two spaces or more."""
    rows = [re.split(r" {2,}", line) for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_a_new_run_has_every_stage_missing(run):
    table = status_table(run)
    first, titles, *rows = table.splitlines()
    assert first == f"run folder {run.folder}"
    assert re.split(r" {2,}", titles) == list(COLUMNS)
    assert [row.split()[:2] for row in rows] == [[s.folder, "missing"] for s in in_order()]
    assert not run.folder.exists(), "looking makes nothing"


def test_progress_state_and_reason_are_shown(run):
    stage = run.open("finetune")
    stage.progress(3, 10)
    state, progress, when = cells(status_table(run))["finetune"]
    assert (state, progress) == ("partial", "3/10")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", when)
    for output in stage.outputs:
        (stage.folder / output).write_text("made")
    stage.finish()
    assert cells(status_table(run))["finetune"][:2] == ["complete", "done"]
    given = run.given.model_copy(
        update={"finetune": run.given.finetune.model_copy(update={"epochs": 999})}
    )
    row = cells(status_table(Run(run.folder, given)))["finetune"]
    assert row[0] == "stale" and row[-1] == f"finetune.epochs: {run.config.finetune.epochs} -> 999"


def test_columns_stand_under_their_titles(run):
    run.open("finetune").progress(3, 10)
    _, titles, *rows = status_table(run).splitlines()
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
