"""A run: what is asked for is read once, a stage stands as its manifest and the settings say."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from pipeline.configuration.reading import RUN_CONFIG, find_config, load_config
from pipeline.errors import UserError
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.run_folder.manifests import MANIFEST, read_manifest
from pipeline.runs import run as run_module
from pipeline.runs.graph import row
from pipeline.runs.inputs.fields import made_by
from pipeline.runs.run import Run, run_of
from pipeline.runs.ways import in_order
from pipeline.stages.import_features import imported_stage

ROWS = "video,start,end,label,subset\nt0,0,2,grow,training\nv0,0,2,grow,validation\n"


@pytest.fixture
def make(tmp_path):
    """A run on two annotated videos, with changed settings."""
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "videos").mkdir()
    for video in ("t0", "v0"):
        (tmp_path / "videos" / f"{video}.mp4").write_bytes(video.encode())

    def made(*, config="demo", force=False, **changes):
        fields = {"dataset.annotations": str(tmp_path / "rows.csv"), "runtime.device": "cpu"}
        fields |= {"dataset.videos": str(tmp_path / "videos")}
        fields |= {key.replace("_", ".", 1): value for key, value in changes.items()}
        return Run(tmp_path / "run", load_config(find_config(config), fields), force)

    return made


def finish(run, name):
    """A stage opened, with its outputs, and complete."""
    stage = run.open(name)
    for output in row(name).outputs:
        (stage.folder / output).write_text("made")
    if name == "extract":
        ledger = Ledger(stage.folder)
        for video, of in run.sightings.identities.items():
            path = run.features.path(video)
            path.parent.mkdir(exist_ok=True)
            path.write_text(of)
            by, file = made_by(stage.fields), record_of(path)
            ledger.note(Made(video=video, by=by, of=of, file=file, content=of))
    stage.finish(weights="digest" if row(name).valuable else None)
    return stage


def test_the_annotations_are_read_once_and_only_when_asked_for(make, monkeypatch):
    read, load = [], run_module.load_annotations

    def counted(settings, ignored):
        read.append(settings)
        return load(settings, ignored)

    monkeypatch.setattr(run_module, "load_annotations", counted)
    run = make()
    assert read == [] and run.subsets == ("training", "validation")
    assert run.features.grid.fps == 15 and read == []
    run.open("finetune")
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


def said(run, name):
    state = run.state(name)
    return state.state, state.why


def test_a_stage_is_missing_partial_complete_or_stale_and_why(make):
    run = make()
    assert said(run, "finetune") == ("missing", "")
    run.open("finetune")
    assert said(run, "finetune") == ("partial", "")
    finish(run, "finetune")
    assert said(run, "finetune") == ("complete", "")
    (run.path("finetune") / "model.pt").unlink()
    assert said(run, "finetune") == ("stale", "model.pt is gone")
    other = make(finetune_epochs=run.config.finetune.epochs + 1)
    state, why = said(other, "finetune")
    assert state == "stale" and why.startswith("finetune.epochs: ")


def test_what_is_made_again_the_same_leaves_what_follows_current(make):
    run = make()
    finish(run, "finetune")
    finish(run, "extract")
    (run.path("finetune") / "model.pt").unlink()
    assert said(run, "extract") == ("complete", "")
    (run.path("finetune") / MANIFEST).unlink()
    assert said(run, "finetune") == ("missing", "") and said(run, "extract")[0] == "complete"


def test_what_is_made_again_otherwise_makes_what_follows_stale_and_names_the_root(make):
    for stage in in_order():
        finish(make(), stage.name)
    other = make(finetune_epochs=make().config.finetune.epochs + 1)
    for name, reason in (
        ("extract", "weights made again"),
        ("bmn", "features of training videos made again: t0"),
        ("proposals", "weights made again"),
    ):
        state, why = said(other, name)
        assert state == "stale" and why.startswith(reason) and "finetune.epochs: " in why


def test_features_are_looked_at_by_video(make, tmp_path):
    run = make()
    finish(run, "finetune")
    finish(run, "extract")
    run.features.path("v0").write_text("damaged")
    assert said(run, "extract") == ("stale", "features not what was written: v0")
    run.features.path("v0").unlink()
    assert said(run, "extract") == ("stale", "features gone: v0")
    (tmp_path / "videos/v0.mp4").write_bytes(b"another")
    assert said(make(), "extract") == ("stale", "features of another video file: v0")
    (tmp_path / "videos/v0.mp4").unlink()
    finish(make(), "extract")
    assert said(make(), "extract") == ("complete", ""), "one that is gone is taken as it was"


def test_segments_are_known_by_video_and_their_order_counts_for_nothing(make, tmp_path):
    finish(make(), "finetune")
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "subset,label,end,start,video\nvalidation,grow,2.0,0,v0\ntraining,grow,2,0.0,t0\n"
    )
    assert said(make(), "finetune") == ("complete", "")
    rows.write_text(ROWS + "v0,3,4,grow,validation\n")
    assert said(make(), "finetune") == ("complete", "")
    rows.write_text(ROWS + "t0,3,4,grow,training\n")
    assert said(make(), "finetune") == ("stale", "training segments changed: t0")


def test_another_video_is_known_by_its_bytes_alone(make, tmp_path):
    finish(make(), "finetune")
    video = tmp_path / "videos/t0.mp4"
    os.utime(video, ns=(1, 1))
    assert said(make(), "finetune") == ("complete", "")
    moved = tmp_path / "elsewhere/deeper"
    shutil.copytree(tmp_path / "videos", moved)
    assert said(make(dataset_videos=str(moved)), "finetune") == ("complete", "")
    video.write_bytes(b"another")
    assert said(make(), "finetune") == ("stale", "training videos changed: t0")


def test_settings_that_change_no_result_leave_it_complete(make):
    finish(make(), "finetune")
    same = make(runtime_workers=7, finetune_checkpoint_seconds=3.0)
    assert same.state("finetune").state == "complete"


def test_other_settings_are_refused_and_force_moves_the_old_aside(make):
    run = make()
    finish(run, "finetune")
    epochs = run.config.finetune.epochs + 1
    with pytest.raises(UserError, match=r"is of other inputs \(finetune.epochs: .*--force"):
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


def test_a_skipped_video_goes_from_what_is_evaluated_and_concerns_no_training(make, tmp_path):
    for stage in in_order():
        finish(make(), stage.name)
    (tmp_path / "skip.txt").write_text("v0\n")
    run = make(runtime_skip=str(tmp_path / "skip.txt"))
    stale = [stage.name for stage in in_order() if run.state(stage.name).state == "stale"]
    assert stale == ["proposals", "classify", "eval"]
    (tmp_path / "skip.txt").write_text("t0\n")
    run = make(runtime_skip=str(tmp_path / "skip.txt"))
    assert said(run, "finetune")[0] == said(run, "bmn")[0] == "stale"


def test_fields_a_command_adds_are_compared_too(make):
    run = make()
    finish(run, "finetune")
    stage = run.open("eval-classifier", {"runs": 2})
    (stage.folder / "results.json").write_text("made")
    stage.finish()
    assert run.open("eval-classifier", {"runs": 2}).complete
    again = run.open("eval-classifier", {"runs": 1})
    assert not again.complete and again.anew


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
    imported_stage(run, fields).open().finish()
    taken = make()
    assert taken.has_imported_features
    assert said(taken, "extract") == ("stale", "features missing: t0, v0")
    grid = taken.features.grid
    assert (grid.fps, grid.frames, grid.interval, grid.stride) == (7.0, 3, 2, 5)
    assert taken.features.imported
    assert Run(run.folder, run.given, grid_of_imported=False).config.extract == run.given.extract


def test_a_manifest_tells_the_stage_and_its_input(make):
    run = make()
    finish(run, "finetune")
    run.open("extract")
    manifest = read_manifest(run.path("extract"))
    assert manifest.stage == "extract" and manifest.fields["content.weights"] == "digest"
    assert json.loads((run.path("finetune") / MANIFEST).read_text())["state"] == "complete"


def test_an_input_that_has_not_been_made_is_asked_for(make):
    with pytest.raises(UserError, match="run `tada-loc finetune` first"):
        make().stage("extract")
