"""`tada-loc config`: what is printed, what is written, and what is refused."""

from __future__ import annotations

import json

import pytest
from helpers.small_runs import error_line, tada

from pipeline.configuration.reading import read_config
from pipeline.tools.config.schema import configuration_schema


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_it_prints_what_the_other_commands_would_use(tmp_path):
    done = tada("config", "--config", "hacs", "bmn.epochs=77", "--videos", "mine")
    assert done.exit_code == 0 and done.stderr == ""
    config = read_config(done.stdout, tmp_path / "config.yaml")
    assert config.bmn.epochs == 77 and str(config.dataset.videos) == "mine"
    (tmp_path / "tada-loc.yaml").write_text(done.stdout)
    here = tada("config")
    assert here.stdout == done.stdout and "using tada-loc.yaml" in here.stderr
    run = tmp_path / "runs/own"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(done.stdout)
    assert tada("config", "--run-dir", "runs/own").stdout == done.stdout
    assert not list(run.glob("*/")) and {p.name for p in tmp_path.iterdir()} == {
        "tada-loc.yaml",
        "runs",
    }


def test_less_of_it(tmp_path):
    line = ["config", "--config", "hacs", "bmn.epochs=77"]
    assert tada(*line, "--against", "hacs").stdout == "bmn:\n  epochs: 77  # hacs: 10\n"
    changed = tada(*line, "--changed").stdout
    assert "epochs: 77" in changed and "momentum" not in changed


def test_it_goes_to_a_file_that_is_not_lost(tmp_path):
    line = ["config", "--config", "hacs", "--to", "my.yaml"]
    done = tada(*line)
    assert done.exit_code == 0 and done.stdout == ""
    assert (tmp_path / "my.yaml").read_text() == tada("config", "--config", "hacs").stdout
    (tmp_path / "my.yaml").write_text("mine")
    assert "my.yaml" in error_line(tada(*line)) and "--force" in error_line(tada(*line))
    assert (tmp_path / "my.yaml").read_text() == "mine"
    assert tada(*line, "--force").exit_code == 0
    assert (tmp_path / "my.yaml").read_text() != "mine"
    (tmp_path / "link.yaml").symlink_to("my.yaml")
    assert tada("config", "--config", "small", "--to", "link.yaml", "--force").exit_code == 0
    assert (tmp_path / "link.yaml").is_symlink()
    assert (tmp_path / "my.yaml").read_text() == tada("config", "--config", "small").stdout


def test_the_schema_and_a_key():
    assert json.loads(tada("config", "--schema").stdout) == configuration_schema()
    said = tada("config", "--explain", "bmn.window_step").stdout
    assert said.startswith("bmn.window_step\n") and "positions" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--explain", "bmn.windowstep"], "did you mean bmn.window_step?"),
        (["--explain", "bmn", "--schema"], "--explain and --schema"),
        (["--schema", "bmn.epochs=3"], "--schema"),
        (["--explain", "bmn", "--run-dir", "x"], "--explain"),
        (["--explain", "bmn", "--changed"], "--explain"),
        (["--schema", "--force"], "add --to"),
        (["--config", "hacs", "bmn.epochs=x"], "bmn.epochs = 'x'"),
        (["--config", "nothing"], "'nothing'"),
        (["--config", "hacs", "--against", "nothing"], "'nothing'"),
        (["--config", "hacs", "--against", "nothing.yaml"], "nothing.yaml"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(line, said):
    done = tada("config", *line)
    assert done.exit_code == 2 and said in error_line(done)
