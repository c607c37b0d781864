"""ActionFormer as a stage: from features to a good mAP, killed and resumed, held out, and what it refuses."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
import torch
from helpers.processes import wait_for
from helpers.separable import ACTIONFORMER, CLASSES, options, truth
from helpers.small_runs import error_line, kill, start, tada

from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.runs.run import Run
from pipeline.stages.heads import actionformer
from pipeline.stages.heads.actionformer import training_and_judging
from pipeline.training.networks.actionformer import load_network

QUICK = [*ACTIONFORMER, "actionformer.epochs=3", "actionformer.checkpoint_seconds=0.01"]


def weights(run):
    return torch.load(run / "actionformer/model.pt", weights_only=True)["model"]


def history(run):
    return json.loads((run / "actionformer/history.json").read_text())


@pytest.fixture
def untrained(former, tmp_path):
    """The run with its features alone."""
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(former / "extract", run / "extract")
    return run


def detect(separate, run, *extra, words=QUICK):
    return tada("detect", *options(separate, run, *words, *extra))


def test_a_run_on_imported_features_finds_what_is_annotated(separate, former):
    results = json.loads((former / "eval/results.json").read_text())
    assert results["tasks"]["mAP"]["average"] > 80
    assert {path.name for path in former.iterdir() if path.is_dir()} == {
        "extract", "actionformer", "eval", "report",
    }, "no classifier is trained for a head that names classes"  # fmt: skip
    table = pd.read_csv(former / "actionformer/detections/detections.csv")
    assert list(table.columns) == ["video", "start", "end", "label", "score"]
    assert set(table["label"]) <= set(CLASSES)
    best = table.groupby("video").head(2)
    for row in best.itertuples():
        spans = [one["segment"] for one in truth(separate)[row.video]]
        assert min(abs(row.start - s) + abs(row.end - e) for s, e in spans) < 3
    rows = history(former)
    assert len(rows) == 25 and rows[-1]["total"] < rows[0]["total"] / 2
    assert rows[0].keys() == {"epoch", "lr", "classification", "regression", "total"}


def test_all_commands_say_that_it_is_done(separate, former, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(former, run)
    for command in ("detect", "run"):
        result = tada(command, *options(separate, run, *ACTIONFORMER))
        assert result.exit_code == 0, result.output
        assert result.output.count("complete, nothing to do") == 2
    status = tada("status", *options(separate, run, *ACTIONFORMER)).output
    assert status.count(" complete ") == 4 and "bmn" not in status and "classify" not in status
    verify = tada("verify", *options(separate, run, *ACTIONFORMER))
    assert verify.exit_code == 0, verify.output


def test_killed_and_resumed_equals_unbroken(separate, untrained, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(untrained, broken)
    result = detect(separate, untrained)
    assert result.exit_code == 0, result.output
    process = start(["detect", *options(separate, broken, *QUICK)])
    wait_for(process, broken, "actionformer/checkpoint.pt")
    kill(process)
    state = json.loads((broken / "actionformer/manifest.json").read_text())["state"]
    result = detect(separate, broken)
    assert result.exit_code == 0, result.output
    assert state == "partial" and "resuming from epoch" in result.output
    one, two = weights(untrained), weights(broken)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-6)
    assert [row["epoch"] for row in history(untrained)] == [row["epoch"] for row in history(broken)]


def test_the_epoch_that_validates_best_is_kept(separate, untrained):
    keys = ("actionformer.keep=best", "dataset.hold_out=0.3", "actionformer.ema_decay=null")
    result = detect(separate, untrained, *keys)
    assert result.exit_code == 0, result.output
    assert "training videos are held out" in result.output
    assert "kept the weights of" in result.output and "which validated best" in result.output
    rows = history(untrained)
    assert all(row["val_total"] > 0 for row in rows)
    assert {"val_classification", "val_regression", "val_total"} <= rows[0].keys()
    kept = json.loads((untrained / "actionformer/manifest.json").read_text())["summary"]
    best = min(rows, key=lambda row: row["val_total"])
    assert kept["kept_epoch"] == best["epoch"] and kept["val_total"] == best["val_total"]


def test_videos_are_held_out_only_where_something_is_chosen(separate, untrained):
    result = detect(separate, untrained, "dataset.hold_out=0.3")
    line = error_line(result)
    assert result.exit_code == 2 and "actionformer.keep=best or actionformer.patience" in line


def test_other_settings_do_not_throw_a_training_away_unasked(separate, former, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(former, run)
    other = ("actionformer.seed=3", "actionformer.epochs=2")
    result = detect(separate, run, *other, words=ACTIONFORMER)
    line = error_line(result)
    assert "actionformer.seed" in line and "--force" in line
    result = tada("detect", *options(separate, run, *ACTIONFORMER, *other), "--force")
    assert result.exit_code == 0, result.output
    assert any(not torch.equal(weights(run)[key], value) for key, value in weights(former).items())
    (aside,) = run.glob("actionformer.*")
    result = detect(separate, run, words=ACTIONFORMER)
    assert result.exit_code == 0 and "is restored" in result.output, result.output
    assert weights(run).keys() == weights(former).keys() and not aside.exists()
    assert all(torch.equal(weights(run)[key], value) for key, value in weights(former).items())


def test_a_training_that_ends_in_nan_leaves_the_one_before_in_its_place(separate, former, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(former, run)
    wild = ("actionformer.base_lr=1e30", "actionformer.warmup_epochs=0", "actionformer.epochs=2")
    result = tada("detect", *options(separate, run, *ACTIONFORMER, *wild), "--force")
    assert result.exit_code == 1 and "the earlier one was restored" in result.output, result.output
    assert (run / "actionformer/model.pt").read_bytes() == (
        former / "actionformer/model.pt"
    ).read_bytes()


@pytest.mark.parametrize(("key", "said"), [
    ("actionformer.heads=3", "width 16 is not a multiple of heads 3"),
    ("actionformer.max_length=26", "max_length 26 is not a multiple of 4, 2 ** (levels - 1)"),
    ("actionformer.window=[5, 5]", "window has 2 entries, and levels is 3"),
    ("actionformer.window=4", "window 4 is even: give an odd number, or 0 for all positions"),
    ("actionformer.ranges=[[0, 4], [4, 2], [2, 9]]", "the least below the most"),
    ("actionformer.crop_ratio=[0.9, 0.5]", "crop_ratio is [least, most]"),
    ("detections.voting=0.7", "set per_class: false"),
    ("detector.name=other", "detector.name"),
    ("actionformer.trunk=both", "actionformer.trunk"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(separate, untrained, key, said):
    result = detect(separate, untrained, key)
    line = error_line(result)
    assert result.exit_code == 2 and said in line, line


@pytest.mark.parametrize(("keys", "said"), [
    (("actionformer.ranges=[[90, 95], [95, 99], [99, 100]]",), "no position learns any of the 12 training"),
    (("dataset.train_subset=nothing",), "dataset.train_subset 'nothing'"),
    (("dataset.eval_subset=nothing",), "no video of subset 'nothing' (dataset.eval_subset)"),
])  # fmt: skip
def test_what_a_training_needs_is_looked_at_first(separate, untrained, keys, said):
    result = detect(separate, untrained, *keys)
    line = error_line(result)
    assert result.exit_code == 1 and said in line, line
    assert not (untrained / "actionformer/checkpoint.pt").exists()


def test_segments_that_no_position_learns_are_counted(separate, untrained):
    ranges = "actionformer.ranges=[[2.6, 4], [80, 90], [99, 100]]"
    result = detect(separate, untrained, ranges, "actionformer.epochs=2")
    assert result.exit_code == 0, result.output
    assert (
        "actionformer: 6 of 12 training segments contain no position that learns them"
        in result.output
    )


def test_a_network_of_another_size_is_told_with_its_file(former):
    from pipeline.errors import UserError
    from pipeline.runs.run import run_of

    run = run_of(former)
    settings = run.detection.actionformer
    with pytest.raises(UserError, match=r"actionformer/model\.pt: not the weights"):
        load_network(settings, 12, (5,), former, torch.device("cpu"))
    samples, judges, channels = training_and_judging(run, run.left_out("actionformer"))
    assert (len(samples), judges, channels) == (6, [], 12)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hacs", "THUMOS14; --config hacs_actionformer has those for hacs"),
        ("small", "THUMOS14; set its keys (docs/how-to/actionformer.md)"),
        ("hacs_actionformer", None),
        ("thumos14", None),
    ],
)
def test_values_that_a_configuration_does_not_have_are_said(
    tmp_path, monkeypatch, capsys, name, said
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Run, "is_complete", lambda run, name: False)
    config = load_config(find_config(name), {"detector.name": "actionformer"})
    with pytest.raises(UserError):  # there are no annotations
        actionformer.run(Run(tmp_path / "run", config))
    line = capsys.readouterr().err
    assert (said in line) if said else (line == "")
