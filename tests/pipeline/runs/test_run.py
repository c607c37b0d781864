"""A run: what is asked for is read once, a stage stands as its manifest and the settings say."""

from __future__ import annotations

import json

import pytest

from pipeline.configuration.reading import RUN_CONFIG, find_config, load_config
from pipeline.errors import UserError
from pipeline.run_folder.manifests import MANIFEST, read_manifest
from pipeline.runs import run as run_module
from pipeline.runs.graph import in_order, row
from pipeline.runs.run import Run, run_of

ROWS = "video,start,end,label,subset\nt0,0,2,grow,training\nv0,0,2,grow,validation\n"


@pytest.fixture
def make(tmp_path):
    """A run on two annotated videos, with changed settings."""
    (tmp_path / "rows.csv").write_text(ROWS)

    def made(*, config="demo", force=False, **changes):
        fields = {"dataset.annotations": str(tmp_path / "rows.csv"), "runtime.device": "cpu"}
        fields |= {key.replace("_", ".", 1): value for key, value in changes.items()}
        return Run(tmp_path / "run", load_config(find_config(config), fields), force)

    return made


def finish(run, name):
    """A stage opened, with its outputs, and complete."""
    stage = run.open(name)
    for output in row(name).outputs:
        (stage.folder / output).write_text("made")
    stage.finish()
    return stage


def test_the_annotations_are_read_once_and_only_when_asked_for(make, monkeypatch):
    read, load = [], run_module.load_annotations

    def counted(settings):
        read.append(settings)
        return load(settings)

    monkeypatch.setattr(run_module, "load_annotations", counted)
    run = make()
    run.open("finetune")
    assert read == [] and run.subsets == ("training", "validation")
    assert run.videos == ["t0", "v0"] and run.dataset is run.dataset
    assert run.dataset.heads == (("grow",),) and len(read) == 1


def test_a_classifier_alone_is_refused_detection_by_the_sections_name(make):
    run = make(config="k400", dataset_format="table", dataset_classes=None)
    assert run.config.finetune.epochs
    for asked in (lambda: run.detection, lambda: run.features):
        with pytest.raises(UserError, match="the configuration has no section extract"):
            asked()
    finish(run, "finetune")
    with pytest.raises(UserError, match="the configuration has no section extract"):
        run.stage("extract")


def test_a_stage_is_missing_partial_complete_or_stale_and_why(make):
    run = make()
    assert run.state("finetune") == ("missing", "")
    run.open("finetune")
    assert run.state("finetune") == ("partial", "")
    finish(run, "finetune")
    assert run.state("finetune") == ("complete", "")
    (run.path("finetune") / "model.pt").unlink()
    assert run.state("finetune") == ("partial", "")
    other = make(finetune_epochs=run.config.finetune.epochs + 1)
    state, why = other.state("finetune")
    assert state == "stale" and why.startswith("finetune.epochs: ")


def test_a_stage_whose_input_is_gone_is_stale_and_says_who_makes_it(make):
    run = make()
    finish(run, "finetune")
    finish(run, "extract")
    assert run.state("extract").state == "complete"
    (run.path("finetune") / MANIFEST).unlink()
    state, why = run.state("extract")
    assert state == "stale" and "run `tada-loc finetune` first" in why


def test_other_annotations_are_a_change_by_their_file(make, tmp_path):
    finish(make(), "finetune")
    (tmp_path / "rows.csv").write_text(ROWS + "t0,3,4,grow,training\n")
    assert make().state("finetune") == ("stale", "dataset.annotations[0] changed")


def test_settings_that_change_no_result_leave_it_complete(make):
    finish(make(), "finetune")
    same = make(runtime_workers=7, finetune_checkpoint_seconds=3.0)
    assert same.state("finetune").state == "complete"


def test_other_settings_are_refused_and_force_moves_the_old_aside(make):
    run = make()
    finish(run, "finetune")
    epochs = run.config.finetune.epochs + 1
    with pytest.raises(UserError, match=r"made with other settings \(finetune.epochs: .*--force"):
        make(finetune_epochs=epochs).open("finetune")
    opened = make(finetune_epochs=epochs, force=True).open("finetune")
    assert not opened.complete and not (opened.folder / "model.pt").exists()
    (aside,) = run.folder.glob("finetune.*")
    assert (aside / "model.pt").is_file()


def test_evaluation_is_made_again_without_force(make):
    for stage in in_order():
        finish(make(), stage.name)
    other = make(eval_iou=[0.5])
    assert other.state("eval").state == "stale"
    assert not other.open("eval").complete
    assert not list(other.folder.glob("eval.*"))


def test_what_a_stage_had_to_leave_out_is_part_of_what_it_made(make):
    run = make()
    finish(run, "finetune")
    finish(run, "extract").finish({"left_out": []})
    finish(run, "bmn")
    assert run.state("bmn").state == "complete"
    run.open("extract").finish({"left_out": ["v0"]})
    assert run.state("bmn") == ("stale", "extract changed")


def test_fields_a_command_adds_are_compared_too(make):
    run = make()
    finish(run, "finetune")
    stage = run.open("eval-classifier", {"skipped": ["v0"]})
    (stage.folder / "results.json").write_text("made")
    stage.finish()
    assert run.open("eval-classifier", {"skipped": ["v0"]}).complete
    with pytest.raises(UserError, match="skipped: "):
        run.open("eval-classifier")


def test_the_settings_are_kept_beside_what_they_made(make):
    run = make()
    run.open("finetune")
    again = run_of(run.folder)
    assert again.folder == run.folder and again.config == run.config
    # A complete stage keeps those it was made with.
    finish(run, "finetune")
    make(runtime_workers=7).open("finetune")
    assert run_of(run.folder).config.runtime.workers == run.config.runtime.workers
    (run.folder / RUN_CONFIG).unlink()
    with pytest.raises(UserError, match=r"no config\.yaml; give the folder of a run"):
        run_of(run.folder)


def test_another_process_follows_what_the_main_one_has_opened(make, monkeypatch):
    run = make()
    opened = run.open("finetune")
    waited = []
    monkeypatch.setattr("pipeline.processes.distributed.barrier", lambda: waited.append(1))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    before = (opened.folder / MANIFEST).read_bytes()
    followed = make().open("finetune")
    assert len(waited) == 2 and not followed.writes
    assert followed.fingerprint == opened.fingerprint
    followed.finish()
    assert (opened.folder / MANIFEST).read_bytes() == before
    monkeypatch.setenv("RANK", "0")
    assert make().open("finetune").writes and len(waited) == 4


def test_only_the_main_process_lists_what_is_left_out(make, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, listed in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        left_out = make(runtime_allow_failures=1).left_out("extract")
        left_out.failed("v0", "no frames")
        assert (make().path("extract") / "failures.json").exists() == listed


def test_the_grid_of_imported_features_holds_whatever_the_configuration_says(make):
    run = make()
    assert not run.has_imported_features
    fields = {"imported": "digest", "extract.fps": 7.0, "extract.frames": 3}
    fields |= {"extract.interval": 2, "extract.stride": 5, "extract.short_side": None}
    run.imported_stage(fields).open().finish()
    taken = make()
    assert taken.has_imported_features and taken.state("extract") == ("complete", "")
    grid = taken.features.grid
    assert (grid.fps, grid.frames, grid.interval, grid.stride) == (7.0, 3, 2, 5)
    assert taken.features.imported
    assert Run(run.folder, run.given, grid_of_imported=False).config.extract == run.given.extract


def test_a_manifest_tells_the_stage_and_its_input(make):
    run = make()
    finish(run, "finetune")
    run.open("extract")
    manifest = read_manifest(run.path("extract"))
    assert manifest["stage"] == "extract" and "input.finetune" in manifest["fields"]
    assert json.loads((run.path("finetune") / MANIFEST).read_text())["state"] == "complete"
