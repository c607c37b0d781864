"""Stages in order, while the run folder is held; in several processes each does what is its work."""

from __future__ import annotations

import contextlib

import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.run_folder.lock import locked
from pipeline.runs import work
from pipeline.runs.graph import of_commands, row
from pipeline.runs.run import Run
from pipeline.runs.states import State
from pipeline.runs.ways import in_order
from pipeline.stages.import_features import imported_stage


@pytest.fixture
def run(tmp_path):
    (tmp_path / "own.csv").write_text(
        "video,start,end,label,subset\na,0,1,run,training\nb,0,1,run,validation\n"
    )
    own = {"dataset.annotations": str(tmp_path / "own.csv"), "dataset.videos": str(tmp_path)}
    return Run(tmp_path / "run", load_config(find_config("demo"), own))


@pytest.fixture(autouse=True)
def sound(monkeypatch):
    """The runs here have no annotations; what is asked of them is a matter of test_soundness.py."""
    asked = []
    monkeypatch.setattr(work, "require_sound", lambda run, stages: asked.append(stages))
    return asked


@pytest.fixture
def done(monkeypatch):
    """The names of the stages that were done, in order, in place of their work."""
    names = []
    monkeypatch.setattr(work, "work_of", lambda stage: lambda run: names.append(stage.name))
    return names


def test_stages_are_done_in_the_order_given_while_the_folder_is_held(run, monkeypatch):
    done = []

    def held(stage):
        def done_by(run):
            assert (run.folder / ".lock").read_text().startswith("process ")
            done.append(stage.name)

        return done_by

    monkeypatch.setattr(work, "work_of", held)
    work.run_stages(run, in_order())
    assert done == ["finetune", "extract", "bmn", "proposals", "classify", "eval"]
    with locked(run.folder):  # and is free again
        pass


def test_what_a_later_stage_would_refuse_is_refused_before_the_first(run, done, monkeypatch, sound):
    work.run_stages(run, of_commands("finetune"))
    assert sound == [of_commands("finetune")] and done == ["finetune"]

    def refuse(run, stages):
        raise UserError("no")

    monkeypatch.setattr(work, "require_sound", refuse)
    with pytest.raises(UserError, match="no"):
        work.run_stages(run, in_order())
    assert done == ["finetune"]


@pytest.mark.parametrize("state", ["partial", "complete"])
def test_a_stage_in_a_shared_folder_is_written_by_one_run_alone(run, monkeypatch, state):
    """But where it is complete, which reads alone, as many runs as like share it."""
    other = run.folder.with_name("other")
    (other / "extract").mkdir(parents=True)
    run.folder.mkdir(exist_ok=True)
    run.path("extract").symlink_to(other / "extract")
    held = []
    looks = lambda stage: lambda run: held.append((other / "extract/.lock").exists())  # noqa: E731
    monkeypatch.setattr(work, "work_of", looks)
    monkeypatch.setattr(
        Run,
        "state",
        lambda self, name, facts=None: State(state if name == "extract" else "complete"),
    )
    work.run_stages(run, [row("finetune")])
    assert held == [False]
    work.run_stages(run, [row("extract")])
    assert held == [False, state == "partial"]


def test_a_stage_that_fails_ends_the_run(run, monkeypatch):
    done = []

    def failing(stage):
        def done_by(run):
            done.append(stage.name)
            if stage.name == "bmn":
                raise UserError("no")

        return done_by

    monkeypatch.setattr(work, "work_of", failing)
    with pytest.raises(UserError, match="no"):
        work.run_stages(run, in_order())
    assert done == ["finetune", "extract", "bmn"]
    with locked(run.folder):
        pass


def test_a_quiet_stage_is_passed_over_only_where_it_is_complete(run, done, monkeypatch):
    stages = [row("classify"), row("eval")]
    for state, expected in (("complete", ["eval"]), ("stale", ["classify", "eval"])):

        def of(self, name, facts=None, state=state):
            return State(state if name == "classify" else "complete")

        monkeypatch.setattr(Run, "state", of)
        work.run_stages(run, stages, quiet=("classify",))
        assert done == expected
        done.clear()


@pytest.mark.parametrize(
    ("rank", "expected"),
    [("0", [s.name for s in in_order()]), ("1", ["finetune", "extract", "bmn", "proposals"])],
)
def test_of_several_processes_each_does_its_work(run, done, monkeypatch, rank, expected):
    waited = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(work, "wait", lambda: waited.append(len(done)))
    monkeypatch.setattr(work, "held", lambda folder, shared=False: locked(folder, shared=shared))
    monkeypatch.setattr(work, "connected", contextlib.nullcontext)
    monkeypatch.setattr(work, "from_main", lambda value: value())
    work.run_stages(run, in_order())
    assert done == expected and len(waited) == len(in_order()), "they wait after every stage"


def test_extraction_does_not_run_over_imported_features(run, done, monkeypatch):
    fields = {"imported": "x", "extract.fps": 7.0, "extract.frames": 3, "extract.interval": 2}
    imported_stage(run, fields | {"extract.stride": 5}).open().finish()
    with pytest.raises(UserError, match=r"holds imported features; continue with `tada-loc bmn`"):
        work.run_stages(run, of_commands("extract"))
    monkeypatch.setattr(Run, "state", lambda self, name, facts=None: State("complete"))
    work.run_stages(run, of_commands("bmn"))
    assert done == ["bmn", "proposals"]


def test_by_force_it_does_with_the_configurations_own_grid(run, monkeypatch):
    fields = {"imported": "x", "extract.fps": 7.0, "extract.frames": 3, "extract.interval": 2}
    imported_stage(run, fields | {"extract.stride": 5}).open().finish()
    seen = []
    monkeypatch.setattr(work, "work_of", lambda stage: lambda run: seen.append(run.config.extract))
    monkeypatch.setattr(Run, "state", lambda self, name, facts=None: State("complete"))
    work.run_stages(Run(run.folder, run.given, force=True), of_commands("extract"))
    assert seen == [run.given.extract]


def test_videos_that_failed_are_tried_again_by_their_stages_own_command(run, done, monkeypatch):
    """Not by one that only reads what the stage made."""

    def of(self, name, facts=None):
        return State("complete", videos={"left_out": ["b"]} if name == "classify" else {})

    monkeypatch.setattr(Run, "state", of)
    run.keep_config()
    work.run_stages(run, [row("classify"), row("eval")], quiet=("classify",))
    assert done == []
    work.run_stages(run, [row("classify")])
    assert done == ["classify"]
