"""THE table of stages: every row can be done, reads what another makes, and comes after it."""

from __future__ import annotations

import inspect

import pytest

from pipeline.cli.commands import main
from pipeline.configuration.settings import Config
from pipeline.runs.graph import STAGES, maker, of_commands, row
from pipeline.runs.ways import HEADS, Ways, in_order
from pipeline.runs.work import work_of

WAYS = tuple(Ways(head=head) for head in HEADS)
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
    for order in map(in_order, WAYS):
        if stage not in order and not (stage.alone and order == in_order()):
            continue
        for folder in stage.reads:
            made_by = maker(folder)
            assert made_by.folder == folder
            if made_by in order and not stage.alone:
                assert order.index(made_by) < order.index(stage)


@pytest.mark.parametrize("ways", WAYS, ids=lambda ways: ways.head)
def test_a_head_has_a_stage_that_trains_one_that_proposes_and_one_that_detects(ways):
    names = [stage.name for stage in in_order(ways)]
    assert names.index(ways.training) < names.index(ways.proposing) <= names.index(ways.detecting)
    assert "proposals.csv" in row(ways.proposing).outputs
    assert "detections.csv" in row(ways.detecting).outputs
    assert ("classify" in names) != ways.own_classes
    others = {name for head in HEADS.values() for name in head} - set(HEADS[ways.head])
    assert not others & set(names)


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
