"""THE table of stages: every row can be done, reads what another makes, and comes after it."""

from __future__ import annotations

import inspect

import pytest

from pipeline.cli.commands import main
from pipeline.configuration.settings import Config
from pipeline.runs.graph import STAGES, maker, of_commands, row
from pipeline.runs.ways import in_order
from pipeline.runs.work import work_of

ROWS = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)


@ROWS
def test_a_row_names_what_there_is(stage):
    assert row(stage.name) is stage
    assert set(stage.settings) <= set(Config.model_fields)
    assert stage.command in main.commands
    first = next(iter(inspect.signature(work_of(stage)).parameters.values()))
    assert first.name == "run", "a stage's work takes the run"
    assert stage.who in {"all", "main"}
    assert stage.annotations in {None, "training", "evaluation"}


@ROWS
def test_what_a_row_reads_is_made_by_one_before_it(stage):
    for folder in stage.reads:
        made_by = maker(folder)
        assert made_by.folder == folder and made_by in in_order()
        if not stage.alone:
            assert in_order().index(made_by) < in_order().index(stage)


@ROWS
def test_a_row_leaves_a_file_or_one_a_video(stage):
    assert stage.outputs or stage.part
    assert all("/" not in output for output in stage.outputs)


def test_names_are_one_a_row_and_folders_one_a_stage_in_order():
    names = [stage.name for stage in STAGES]
    folders = [stage.folder for stage in in_order()]
    assert len(set(names)) == len(names) and len(set(folders)) == len(folders)
    with pytest.raises(StopIteration):
        row("nothing")


def test_the_order_is_the_papers():
    names = ["finetune", "extract", "bmn", "proposals", "classify", "eval"]
    assert [stage.name for stage in in_order()] == names
    assert {stage.name for stage in STAGES if stage.alone} == {"eval-classifier", "import-features"}


def test_a_commands_stages_are_in_order():
    assert [stage.name for stage in of_commands("bmn")] == ["bmn", "proposals"]
    for stage in STAGES:
        assert stage in of_commands(stage.command)
    assert of_commands("status") == ()


def test_imported_features_lie_where_extracted_ones_do():
    """The stages that read them need not know."""
    assert row("import-features").folder == row("extract").folder == maker("extract").folder
    assert maker("extract").name == "extract"
