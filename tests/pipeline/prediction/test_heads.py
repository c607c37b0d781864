"""A model whose head is ActionFormer finds what its stages find, exactly, with its own classes and without."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.former_runs import former_run
from helpers.same_detections import predicts_the_same
from helpers.small_runs import error_line, tada

from pipeline.errors import UserError
from pipeline.model_files.exporting import export_run
from pipeline.model_files.info import describe, info_table
from pipeline.model_files.opening import open_model
from pipeline.prediction.detector import Detector
from pipeline.prediction.from_run import model_of_run
from pipeline.runs.run import run_of
from tada_loc import Run, load

FORMS = {
    "own classes": [],
    "no classes": ["actionformer.classes=none", "classify.top=2"],
    "rescaled, all NMS at once": [
        "actionformer.mode=rescale", "detections.per_class=false", "detections.voting=0.6",
    ],
    "averaged": ["actionformer.feature_step=2", "actionformer.positions=average"],
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(whole, data, tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("former"), {}

    def make(form):
        if form not in made:
            made[form] = former_run(whole, data, folder / form.replace(" ", "_"), *FORMS[form])
        return made[form]

    return make


@pytest.mark.parametrize("form", FORMS)
def test_a_model_finds_what_the_stages_find(form, runs):
    predicts_the_same(runs(form), lanes=2)


@pytest.mark.parametrize("form", ["own classes", "no classes"])
def test_a_file_is_the_model_of_its_run(form, runs, tmp_path):
    run, path = runs(form), tmp_path / "own.tada"
    export_run(run, path)
    ours, theirs = model_of_run(run), open_model(path)
    assert ours.digest == theirs.digest and theirs.config.names_own_classes == (form[0] == "o")
    assert ours.detector.keys() == theirs.detector.keys()
    said = info_table(describe(path))
    named = (
        "it predicts the classes itself" if form[0] == "o" else "classes are those of each proposal"
    )
    assert "ActionFormer" in said and named in said and "BMN" not in said
    assert describe(run)["digest"] == theirs.digest and describe(run)["trained"]
    video = sorted((run_of(run).config.dataset.videos).glob("val*.mp4"))[0]
    done = tada(
        "predict", str(video), "--model", str(path), "--to", str(tmp_path / "found"), "--timeline"
    )
    assert done.exit_code == 0, done.output
    found = load(path, device="cpu")(video)
    assert len(found) and len(found.videos[video.stem].curves.times) == 0


def test_a_notebook_reads_what_is_there(runs):
    for form in ("own classes", "no classes"):
        run = Run(runs(form))
        assert len(run.detections) and {"label", "score"} <= set(run.detections.columns)
        best = run.proposals.groupby("video")["score"].max()
        assert len(best) == 2 and run.results["tasks"]
        detections = run.detector(device="cpu")(run.config.dataset.videos / f"{best.index[0]}.mp4")
        assert np.isclose(
            detections["score"].max(),
            run.detections[run.detections["video"] == best.index[0]]["score"].max(),
        )


def test_a_file_is_another_model_with_other_settings_of_detections(runs, tmp_path):
    model = model_of_run(runs("own classes"))
    other = model.config.detections.model_copy(update={"sigma": 0.4})
    changed = replace(model, config=model.config.model_copy(update={"detections": other}))
    assert changed.digest != model.digest
    # what its head does without says nothing
    other = model.config.bmn.model_copy(update={"temporal_scale": 12})
    same = replace(model, config=model.config.model_copy(update={"bmn": other}))
    assert same.digest == model.digest


def test_what_is_not_there_is_one_line(runs, tmp_path):
    run = shutil.copytree(runs("own classes"), tmp_path / "run")
    shutil.rmtree(run / "actionformer")
    line = error_line(tada("export", "--run-dir", str(run), "--to", str(tmp_path / "own.tada")))
    assert "actionformer has not been run; run `tada-loc detect --run-dir" in line
    model = model_of_run(runs("own classes"))
    wrong = replace(model, detector=dict(list(model.detector.items())[1:]))
    with pytest.raises(UserError, match="not of its configuration"):
        Detector(wrong, device="cpu")


def test_both_heads_are_compared(runs, whole, tmp_path):
    done = tada(
        "compare", str(whole), str(runs("own classes")), "--page", str(tmp_path / "page.html")
    )
    assert done.exit_code == 0, done.output
    assert "detector.name" in done.stdout
    assert "bmn.hidden_1d" not in done.stdout and "actionformer.width" not in done.stdout
    assert "detector (ActionFormer)" in (tmp_path / "page.html").read_text()


def test_a_run_begins_from_a_file(runs, data, tmp_path):
    export_run(runs("own classes"), tmp_path / "own.tada")
    own = ["--annotations", str(data / "annotations.csv"), "--videos", str(data / "videos")]
    begun = tada(
        "status",
        "--config",
        str(tmp_path / "own.tada"),
        "--run-dir",
        str(tmp_path / "further"),
        *own,
    )
    assert begun.exit_code == 0 and "actionformer/detections" in begun.stdout, begun.output


def test_tools_read_a_run_whose_head_is_actionformer(runs, tmp_path):
    run = str(shutil.copytree(runs("own classes"), tmp_path / "run"))
    status = tada("status", "--run-dir", run).stdout
    assert "actionformer/detections" in status and "bmn" not in status and "classify" not in status
    checked = tada("verify", "--run-dir", run)
    assert checked.exit_code == 0 and "are as they were written" in checked.stdout
    shown = tada("explain", "validation_000", "--run-dir", run, "--top", "1", "--device", "cpu")
    assert shown.exit_code == 0 and "ActionFormer predicted the detections" in shown.stderr, (
        shown.output
    )
    page = tada("report", "--run-dir", run)
    assert page.exit_code == 0, page.output
    damaged = tmp_path / "run/actionformer/detections/detections.csv"
    damaged.write_text(damaged.read_text() + "x")
    assert "detections.csv: is not as it was written" in tada("verify", "--run-dir", run).stdout
