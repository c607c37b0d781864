"""From one head of a run to the other and back: what is done stays done, and `config.yaml` names the one in use."""

from __future__ import annotations

import os
import shutil

import pytest
from helpers.separable import ACTIONFORMER, options
from helpers.small_runs import tada

from pipeline.runs.run import run_of


@pytest.fixture
def both(separate, former, tmp_path):
    """A run with ActionFormer, then BMN."""
    run = tmp_path / "run"
    shutil.copytree(former, run)
    result = tada("bmn", *options(separate, run, *ACTIONFORMER[1:]))
    assert result.exit_code == 0, result.output
    assert run_of(run).config.detector.name == "bmn"
    return run


def test_the_settings_follow_the_head_where_all_is_complete(both, former):
    result = tada("detect", "--run-dir", str(both), "--detector", "actionformer")
    assert result.exit_code == 0 and result.output.count("complete, nothing to do") == 2
    assert "config.yaml: detector.name is actionformer from here on" in result.output
    assert run_of(both).config == run_of(former).config
    result = tada("run", "--run-dir", str(both))
    assert result.exit_code == 0, result.output
    figures = "actionformer: complete, nothing to do", "detections: complete, nothing to do", "mAP"
    assert all(words in result.output for words in figures)
    result = tada("bmn", "--run-dir", str(both))
    assert result.output.count("complete, nothing to do") == 2
    assert run_of(both).config.detector.name == "bmn"


def test_settings_that_name_the_head_already_are_not_written(both):
    before = (both / "config.yaml").stat().st_mtime_ns
    for command in ("bmn", "detect"):
        assert tada(command, "--run-dir", str(both)).exit_code == 0
    assert (both / "config.yaml").stat().st_mtime_ns == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_may_only_be_read_stays_as_it_is(both):
    before = (both / "config.yaml").read_bytes()
    both.chmod(0o555)
    try:
        result = tada("detect", "--run-dir", str(both), "--detector", "actionformer")
    finally:
        both.chmod(0o755)
    assert result.exit_code == 0 and result.output.count("complete, nothing to do") == 2
    assert (both / "config.yaml").read_bytes() == before
