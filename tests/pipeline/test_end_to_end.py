"""All five stages through the command line on a tiny drawn dataset."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers.small_runs import MADE, error_line, options, same_results, tada, without_stages

from pipeline.runs.ways import in_order


def test_every_stage_leaves_its_outputs(whole, data):
    for name in MADE:
        assert (whole / name).is_file(), name
    videos = pd.read_csv(data / "annotations.csv")["video"].unique()
    assert {path.stem for path in (whole / "extract/features").iterdir()} == set(videos)
    detections = pd.read_csv(whole / "classify/detections.csv")
    assert (detections["start"] < detections["end"]).all() and detections["score"].notna().all()
    results = json.loads((whole / "eval/results.json").read_text())
    assert len(results["tasks"]["mAP"]["map"]) == 10
    assert not list(whole.rglob("*.tmp")) and not list(whole.rglob("checkpoint.pt"))


def test_a_second_run_does_nothing_and_says_so(whole, data):
    before = {
        path: path.stat().st_mtime_ns
        for path in whole.rglob("*")
        if path.suffix in {".pt", ".h5", ".csv"}
    }
    result = tada("run", *options(data, whole))
    assert result.exit_code == 0
    for stage in ("finetune", "extract", "bmn", "classify"):
        assert f"{stage}: " in result.output and "nothing to do" in result.output
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_status_says_what_is_done_and_why_again(whole, data):
    assert tada("status", *options(data, whole)).output.count("complete") >= 6
    output = tada("status", *options(data, whole, "proposals.alpha=0.7")).output
    rows = {line.split()[0]: line for line in output.splitlines()[2:8]}
    stale = [name for name, line in rows.items() if line.split()[1] == "stale"]
    assert stale == ["bmn/proposals", "classify", "eval"]
    assert "proposals.alpha: 0.4 -> 0.7" in rows["bmn/proposals"]
    for name, what in (("classify", "proposals made again"), ("eval", "detections made again")):
        assert what in rows[name] and "proposals.alpha: 0.4 -> 0.7" in rows[name]


def test_other_settings_make_again_what_depends_on_them_and_no_training(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    parts = {
        path: path.stat().st_mtime_ns for path in run.rglob("*") if path.suffix in {".pt", ".h5"}
    }
    result = tada("bmn", *options(data, run, "proposals.alpha=0.7"))
    assert result.exit_code == 0, result.output
    assert "bmn: network complete, nothing to do" in result.output
    assert "alpha: 0.7" in (run / "config.yaml").read_text(), (
        "what is kept is what it was made with"
    )
    result = tada("run", *options(data, run, "proposals.alpha=0.7"))
    assert result.exit_code == 0 and "extract: complete" in result.output, result.output
    for name in MADE[2:4]:
        assert (run / name).read_bytes() != (whole / name).read_bytes(), name
    # And back: byte for byte what it was.
    assert tada("run", *options(data, run, "proposals.alpha=0.4")).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in parts} == parts
    assert not list(run.rglob("*.20*-*"))
    same_results(whole, run)


@pytest.mark.parametrize(
    ("stage", "setting", "said"),
    [
        ("finetune", "finetune.seed=5", "finetune.seed: 0 -> 5"),
        ("bmn", "bmn.seed=5", "bmn.seed: 0 -> 5"),
    ],
)
def test_a_training_of_other_settings_is_refused_moved_aside_and_taken_back(
    whole, data, tmp_path, stage, setting, said
):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    commands = in_order() if stage == "finetune" else in_order()[2:]
    for command in dict.fromkeys([row.command for row in commands] + ["run"]):
        line = error_line(tada(command, *options(data, run, setting)))
        assert said in line and "--force" in line and "it took " in line, command
        assert f"{stage}/model.pt" in line
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    result = tada("run", *options(data, run, setting), "--force")
    assert result.exit_code == 0, result.output
    (aside,) = run.glob(f"{stage}.*")
    assert (aside / "model.pt").read_bytes() == before[run / stage / "model.pt"]
    assert (run / stage / "model.pt").read_bytes() != before[run / stage / "model.pt"]
    # With the former settings it is restored and trained by nobody.
    result = tada("run", *options(data, run))
    assert result.exit_code == 0 and "is restored" in result.output, result.output
    assert "epoch" not in result.output
    same_results(whole, run)
    # And so is the other one.
    result = tada("run", *options(data, run, setting))
    assert result.exit_code == 0 and "is restored" in result.output
    assert "epoch" not in result.output, result.output


def test_eval_classifies_first_and_writes_json(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "classify")
    shutil.rmtree(run / "eval")
    numbers = tmp_path / "numbers.json"
    result = tada("eval", *options(data, run), "--iou", "0.1:0.1:0.5", "--json", str(numbers))
    assert result.exit_code == 0, result.output
    assert (run / "classify/detections.csv").read_bytes() == (
        whole / "classify/detections.csv"
    ).read_bytes()
    assert json.loads(numbers.read_text())["iou"] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert "@0.1" in result.output and "average" in result.output


def test_stages_find_what_the_run_was_made_with(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    result = tada("eval", "--run-dir", str(run))
    assert result.exit_code == 0, result.output


def test_a_missing_stage_names_its_command(whole, data, tmp_path):
    """The first one that is missing: it is what has to be done next."""
    for stage, first, needed in (
        ("extract", "finetune", "finetune"),
        ("bmn", "finetune", "finetune"),
        ("bmn", "extract", "extract"),
        ("classify", "extract", "extract"),
        ("classify", "bmn", "bmn"),
        ("eval", "bmn", "bmn"),
    ):
        run = tmp_path / f"{stage}-{first}"
        without_stages(whole, run, first)
        said = error_line(tada(stage, *options(data, run)))
        assert f"stage {needed} has not been done; run `tada-loc {needed}` before" in said


@pytest.mark.parametrize(
    ("stage", "extra", "said"),
    [
        ("finetune", ["--set", "dataset.videos=nowhere"], "nowhere"),
        ("finetune", ["--set", "dataset.annotations=nowhere.csv"], "nowhere.csv"),
        ("finetune", ["--backbone", "resnet9000"], "tsn"),
        ("finetune", ["--set", "finetune.epoch=3"], "finetune.epochs"),
        ("finetune", ["--set", "runtime.device=cuda:77"], "cuda:77"),
        ("eval", ["--iou", "0.5:0.1"], "start:step:end"),
        ("eval", ["--iou", "-1"], "tIoU"),
        ("finetune", ["--config", "nothing"], "ek100"),
        ("finetune", ["--set", "backbone.pretrained=none.pth"], "none.pth"),
    ],
)
def test_user_errors_are_one_clear_line(data, tmp_path, stage, extra, said):
    result = tada(stage, *options(data, tmp_path / "run"), *extra)
    assert result.exit_code in {1, 2}
    lines = [line for line in result.output.splitlines() if line.startswith("Error")]
    assert len(lines) == 1 and said in lines[0], result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", MADE)
def test_an_output_that_is_gone_is_made_again(whole, data, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / name).unlink()
    path, _, file = name.rpartition("/")
    rows = tada("status", *options(data, run)).output.splitlines()[2:8]
    stale = [line for line in rows if line.split()[1] != "complete"]
    assert len(stale) == 1 and stale[0].startswith(f"{path} ") and f"{file} is gone" in stale[0]
    before = {p: p.stat().st_mtime_ns for p in map(run.joinpath, MADE) if p.exists()}
    result = tada("run", *options(data, run))
    assert result.exit_code == 0, result.output
    same_results(whole, run)
    assert {p: p.stat().st_mtime_ns for p in before} == before, "what follows is still current"


@pytest.mark.parametrize("name", ["history.json", "failures.json", "config.yaml", ".lock"])
def test_what_is_no_result_may_go(whole, data, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    for path in [*run.rglob(name)]:
        path.unlink()
    before = {path: path.stat().st_mtime_ns for path in map(run.joinpath, MADE)}
    result = tada("run", *options(data, run))
    assert result.exit_code == 0 and "epoch" not in result.output, result.output
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (run / "config.yaml").is_file()


@pytest.mark.parametrize("name", MADE[:2])
def test_a_network_that_was_changed_stops_every_command_that_needs_it(whole, data, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    stage = name.partition("/")[0]
    commands = in_order() if stage == "finetune" else in_order()[2:]
    for command in dict.fromkeys([row.command for row in commands] + ["run"]):
        line = error_line(tada(command, *options(data, run)))
        assert name in line and "not what was written" in line and "--force" in line, command
    (run / name).write_bytes(content)
    result = tada("run", *options(data, run))
    assert result.exit_code == 0 and "nothing to do" in result.output
    same_results(whole, run)


def test_a_mistake_before_any_output_does_not_lock_the_stage(data, tmp_path):
    run = tmp_path / "run"
    result = tada("finetune", *options(data, run), "--backbone", "resnet9000")
    assert result.exit_code == 2
    result = tada("finetune", *options(data, run, "finetune.epochs=1", "finetune.warmup_epochs=0"))
    assert result.exit_code == 0, result.output


def test_features_that_another_hand_made_are_made_again_and_not_read(
    whole, data, tmp_path, edit_sealed
):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "bmn")
    path = next((run / "extract/features").glob("training*"))
    edit_sealed(path, lambda file: file.attrs.__setitem__("fps", 7.0))
    said = error_line(tada("export-features", *options(data, run), "--to", str(tmp_path / "out")))
    assert path.name in said and "not what was written" in said
    result = tada("bmn", *options(data, run))
    assert result.exit_code == 0 and "not what was written" in result.output, result.output
    assert path.read_bytes() == (whole / "extract/features" / path.name).read_bytes()


def test_without_options_the_only_run_here_is_used(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = tada("finetune")
    assert result.exit_code == 1 and "ek100" in result.output
    shutil.copytree(whole, tmp_path / "runs/mine")
    result = tada("eval")
    assert result.exit_code == 0 and "runs/mine" in result.output
    shutil.copytree(whole, tmp_path / "runs/other")
    result = tada("eval")
    assert result.exit_code == 2 and "--run-dir" in result.output


def test_classes_from_decoded_clips_are_near_those_of_the_features(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    said = tada("status", *options(data, run, "classify.source=video")).output
    assert "classify.source: features -> video" in said
    result = tada("classify", *options(data, run), "--source", "video")
    assert result.exit_code == 0, result.output
    stored, decoded = (pd.read_csv(r / "classify/detections.csv") for r in (whole, run))
    keys = ["video", "start", "end", "label"]
    both = stored.merge(decoded, on=keys)
    assert len(both) > 0.7 * len(stored)
    # The moments differ by up to half a cell; the proposals and their scores do not.
    assert np.median(np.abs(both["score_x"] - both["score_y"]) / both["score_x"]) < 0.05


def test_finer_boundaries_go_through_all_stages(whole, data, tmp_path):
    finer = ["bmn.boundary_center=0.5", "bmn.regression=true", "proposals.voting=0.7"]
    finer += ["classify.spread=inside"]
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    result = tada("run", *options(data, run, *finer), "--force")
    assert result.exit_code == 0, result.output
    assert "extract: complete" in result.output
    history = json.loads((run / "bmn/history.json").read_text())
    assert {"total", "tem", "pem_reg", "pem_cls", "moves"} <= history[-1].keys()
    assert "moves" not in json.loads((whole / "bmn/history.json").read_text())[-1]
    proposals = pd.read_csv(run / "bmn/proposals/proposals.csv")
    assert (proposals["start"] < proposals["end"]).all() and (proposals["start"] >= 0).all()
    again = tada("run", *options(data, run, *finer))
    assert again.exit_code == 0 and "bmn: complete, nothing to do" in again.output
