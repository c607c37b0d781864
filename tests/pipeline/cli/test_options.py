"""Options: on each command those that do something there, and each does what its key does."""

from __future__ import annotations

import json

import click
import pytest
from helpers.small_runs import error_line, tada

from pipeline.cli.commands import main
from pipeline.cli.options import overrides, start
from pipeline.cli.predict_command import FORMS
from pipeline.errors import UsageError
from pipeline.tools.predict.files.forms import OPTIONS

BASE = {"--config", "--run-dir", "--set", "--verbose"}
READS = {"--annotations", "--allow-failures", "--skip"}
ALL = READS | {"--videos", "--device", "--workers", "--force", "--verify"}
EXPECTED = {
    "proxies": BASE | READS | {"--videos", "--workers", "--verify"},
    "finetune": BASE | ALL | {"--epochs", "--batch-size", "--backbone", "--log"},
    "extract": BASE
    | ALL
    | {"--fps", "--stride", "--short-side", "--batch-size", "--decoder", "--precision", "--shard", "--check"},
    "bmn": BASE | ALL | {"--epochs", "--batch-size", "--log", "--shard"},
    "detect": BASE | ALL | {"--detector", "--log", "--shard"},
    "classify": BASE | ALL | {"--mode", "--source", "--shard"},
    "eval": BASE | ALL | {"--iou", "--json", "--why", "--at"},
    "eval-classifier": BASE | ALL | {"--clips", "--crops", "--with"},
    "compare": {"--at", "--resamples", "--seed", "--config", "--annotations", "--set", "--json", "--page"},
    "sweep": {"--run-dir", "--trials", "--seed", "--honest", "--apply", "--workers", "--json"},
    "run": BASE | ALL | {"--log"},
    "submit": BASE | ALL | {"--log", "--engine", "--array", "--gpus", "--cpus", "--memory", "--time", "--partition",
                            "--account", "--slurm", "--dry-run"},
    "export": {"--run-dir", "--to", "--note", "--force"},
    "info": {"--json"},
    "status": BASE | {"--annotations", "--videos", "--skip", "--verify", "--json"},
    "verify": BASE | {"--annotations", "--videos", "--skip", "--json"},
    "score": BASE - {"--run-dir"} | {"--annotations", "--iou", "--json", "--unknown-videos", "--ties", "--why", "--at"},
    "init": {
        "--to", "--for", "--frame-fps", "--frames", "--annotation-fps", "--train-subset", "--eval-subset",
        "--allow-beyond", "--workers", "--force",
    },
    "config": BASE | {"--annotations", "--videos", "--explain", "--schema", "--changed", "--against", "--to", "--force"},
    "convert": {
        "--to", "--format", "--fps", "--videos", "--classes", "--video-info", "--subset", "--force",
    },
    "import-features": BASE
    | READS
    | {"--videos", "--force", "--from", "--fps", "--stride", "--frames", "--interval", "--short-side", "--layout", "--channels-first", "--offset-frames", "--rescaled"},
    "export-features": BASE | READS | {"--to"},
    "doctor": BASE | READS | {"--videos", "--workers", "--deep", "--json"},
    "plan": BASE | {"--annotations", "--videos", "--device", "--skip", "--processes", "--quick", "--json"},
    "demo": {"--run-dir", "--backbone", "--set", "--device", "--log", "--force"},
    "report": BASE
    | {"--annotations", "--videos", "--skip", "--to", "--detections", "--unknown-videos"},
    "predict": {"--run-dir", "--model", "--to", "--threshold", "--top", "--classes", "--save-features",
                "--device", "--precision", "--workers", "--allow-failures", "--allow-partial", "--frame-fps", "--annotations",
                "--shard", *(f"--{form}" for form in OPTIONS)},
    "explain": {"--run-dir", "--model", "--to", "--threshold", "--top", "--classes", "--at", "--against", "--device",
                "--frame-fps"},
}  # fmt: skip


def shown(command: click.Command) -> set[str]:
    """The long names of a command's options."""
    return {
        max(option.opts, key=len)
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    }


def test_each_command_has_the_options_that_do_something_there():
    assert {name: shown(command) for name, command in main.commands.items()} == EXPECTED


def test_every_form_of_predictions_has_an_option():
    assert set(FORMS) == set(OPTIONS)


@pytest.mark.parametrize("command", sorted(EXPECTED))
def test_an_option_that_does_nothing_there_is_no_option_there(command):
    for option in sorted(ALL - EXPECTED[command]):
        line = [command, option] + ([] if option in {"--force", "--verify"} else ["1"])
        done = tada(*line)
        assert done.exit_code == 2 and "No such option" in done.output, done.output
        assert option in done.output.splitlines()[-1]
        assert "Traceback" not in done.output


def test_an_unknown_option_is_clicks_own_error():
    done = tada("status", "--device", "cpu")
    assert done.exit_code == 2
    assert done.output.startswith("Usage: main status [OPTIONS] [KEY=VALUE]...")
    assert "Error: No such option" in done.output and "--device" in done.output


@pytest.mark.parametrize(
    ("command", "option", "value", "key", "expected"),
    [
        ("finetune", "--annotations", "a.csv", "dataset.annotations", "a.csv"),
        ("finetune", "--videos", "v", "dataset.videos", "v"),
        ("finetune", "--device", "cpu", "runtime.device", "cpu"),
        ("finetune", "--workers", "3", "runtime.workers", 3),
        ("finetune", "--allow-failures", "3", "runtime.allow_failures", 3),
        ("finetune", "--skip", "s.txt", "runtime.skip", "s.txt"),
        ("finetune", "--backbone", "tsn", "backbone.name", "tsn"),
        ("finetune", "--epochs", "7", "finetune.epochs", 7),
        ("finetune", "--batch-size", "7", "finetune.batch_size", 7),
        ("detect", "--detector", "actionformer", "detector.name", "actionformer"),
        ("extract", "--batch-size", "7", "extract.batch_size", 7),
        ("extract", "--fps", "7", "extract.fps", 7.0),
        ("extract", "--stride", "7", "extract.stride", 7),
        ("extract", "--short-side", "77", "extract.short_side", 77),
        ("extract", "--decoder", "pyav", "extract.decoder", "pyav"),
        ("extract", "--precision", "bfloat16", "extract.precision", "bfloat16"),
        ("bmn", "--epochs", "7", "bmn.epochs", 7),
        ("bmn", "--log", "tensorboard", "runtime.log", ["tensorboard"]),
        ("bmn", "--batch-size", "7", "bmn.batch_size", 7),
        ("classify", "--mode", "video", "classify.mode", "video"),
        ("classify", "--source", "video", "classify.source", "video"),
        ("eval", "--iou", "0.5", "eval.iou", [0.5]),
        ("eval-classifier", "--clips", "7", "views.clips", 7),
        ("eval-classifier", "--crops", "1", "views.crops", 1),
    ],
)
def test_an_option_is_short_for_its_key(
    tmp_path, monkeypatch, command, option, value, key, expected
):
    monkeypatch.chdir(tmp_path)
    made = {}
    target = "pipeline.runs.work.run_stages"
    monkeypatch.setattr(target, lambda run, stages, **_: made.update(run=run))
    monkeypatch.setattr("pipeline.stages.eval_classifier.run", lambda run, _: made.update(run=run))
    monkeypatch.setattr("pipeline.stages.eval_classifier.accuracy_table", lambda run: "")
    monkeypatch.setattr("pipeline.stages.evaluate.results_table", lambda run: "")
    config = "k400" if command == "eval-classifier" else "demo"
    done = tada(command, "--config", config, option, value)
    assert done.exit_code == 0, done.output
    section, _, name = key.partition(".")
    found = getattr(made["run"].config.section(section), name)
    assert json.loads(json.dumps(found, default=str)) == expected
    # A key that is set says more than the option that is short for it.
    plain = tada(command, "--config", config, "--set", f"{key}={json.dumps(expected)}")
    assert plain.exit_code == 0, plain.output
    assert getattr(made["run"].config.section(section), name) == found


def test_a_key_on_its_own_is_the_key_set(tmp_path):
    line = ["status", "-v", "--config", "demo", "--run-dir", str(tmp_path)]
    one = tada(*line, "--set", "bmn.epochs=77", "--set", "proposals.alpha=0.5")
    two = tada(*line, "bmn.epochs=77", "proposals.alpha=0.5")
    mixed = tada("status", "bmn.epochs=77", *line[1:], "--set", "proposals.alpha=0.5")
    assert one.exit_code == 0 and "epochs: 77" in one.stderr
    assert one.output == two.output == mixed.output
    assert one.output != tada(*line).output


def test_a_word_that_sets_nothing_is_refused(tmp_path):
    done = tada("status", "bmn", "--run-dir", str(tmp_path))
    assert done.exit_code == 2
    assert "unexpected extra argument (bmn); KEY=VALUE sets a key" in done.output
    for word, said in (("bmn.epoch=3", "bmn.epochs"), ("=3", "section.key=value")):
        assert said in error_line(tada("status", "--config", "demo", word))


def test_options_are_keys_and_what_is_set_goes_before_them():
    given = {"videos": "v", "epochs": 3, "skip": None, "workers": 0}
    assigned = {"assignments": ("bmn.epochs=4", "bmn.seed=1"), "keys": ("bmn.seed=2",)}
    assert overrides("bmn", {**given, **assigned}) == {
        "dataset.videos": "v", "bmn.epochs": 4, "runtime.workers": 0, "bmn.seed": 2,
    }  # fmt: skip
    assert overrides("bmn", given) == {
        "dataset.videos": "v", "bmn.epochs": 3, "runtime.workers": 0,
    }  # fmt: skip


def test_the_run_is_the_one_the_options_name(tmp_path, capsys):
    options = {"config": "demo", "run_dir": tmp_path, "verbose": False, "workers": 7}
    run = start("bmn", dict(options), force=True)
    assert (run.folder, run.force, run.config.runtime.workers) == (tmp_path, True, 7)
    assert capsys.readouterr().err == ""
    assert not start(None, options | {"verbose": True}).force
    said = capsys.readouterr().err
    assert f"run folder {tmp_path}" in said and "workers: 7" in said
    with pytest.raises(UsageError, match="ek100"):
        start(None, options | {"config": "nothing"})


TRUTH = {
    "database": {
        "x": {
            "subset": "validation",
            "duration": 9,
            "annotations": [{"segment": [1, 3], "label": "dive"}],
        }
    }
}
FOUND = {
    "version": "x",
    "results": {"x": [{"label": "dive", "score": 0.5, "segment": [1.0, 2.8]}]},
    "external_data": {},
}


def test_a_result_file_is_scored_the_same_by_both_its_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    (tmp_path / "found.json").write_text(json.dumps(FOUND))
    line = ["--config", "hacs", "--annotations", "truth.json", "--iou", "0.5,0.95"]
    line += ["--set", "dataset.classes=null"]
    one = tada("eval", *line, "--detections", "found.json", "--json", "one.json")
    two = tada("score", "found.json", *line, "--json", "two.json")
    assert one.exit_code == 0 and "@0.95" in one.stdout, one.output
    assert one.stdout_bytes == two.stdout_bytes and one.stderr_bytes == two.stderr_bytes
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert json.loads((tmp_path / "one.json").read_text())["tasks"]["mAP"]["map"] == [100.0, 0.0]
    assert not (tmp_path / "runs").exists(), "it needs no run"
    again = tada("score", "found.json", *line[:4], "dataset.classes=null", "eval.iou=[0.5,0.95]")
    assert again.stdout == two.stdout
