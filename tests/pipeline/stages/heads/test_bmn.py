"""BMN trained on windows that move, of interpolated positions, until the end: killed and resumed."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import torch
from helpers.processes import wait_for
from helpers.small_runs import kill, options, start, tada, without_stages

SAMPLES = [
    "bmn.random_windows=true", "bmn.windows_to_end=true", "bmn.feature_step=2",
    "bmn.positions=interpolate", "bmn.temporal_scale=24", "bmn.duration_scale=12",
    "bmn.window_step=12", "bmn.epochs=6", "bmn.checkpoint_seconds=0.01",
]  # fmt: skip


def test_a_killed_training_goes_on_with_the_very_same_windows(whole, data, tmp_path):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    for run in (unbroken, broken):
        without_stages(whole, run, "bmn")
    result = tada("bmn", *options(data, unbroken, *SAMPLES))
    assert result.exit_code == 0, result.output
    process = start(["bmn", *options(data, broken, *SAMPLES, workers=1)])
    wait_for(process, broken, "bmn/checkpoint.pt")
    kill(process)
    state = json.loads((broken / "bmn/manifest.json").read_text())["state"]
    result = tada("bmn", *options(data, broken, *SAMPLES))
    assert result.exit_code == 0, result.output
    assert state == "partial" or "nothing to do" in result.output
    one, two = (
        torch.load(run / "bmn/model.pt", weights_only=True)["model"] for run in (unbroken, broken)
    )
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-6)
    losses = [json.loads((run / "bmn/history.json").read_text()) for run in (unbroken, broken)]
    assert [row["epoch"] for row in losses[0]] == [row["epoch"] for row in losses[1]]
    proposals = pd.read_csv(unbroken / "bmn/proposals/proposals.csv")
    assert len(proposals) and (proposals["start"] < proposals["end"]).all()
    still = [line.replace("random_windows=true", "random_windows=false") for line in SAMPLES]
    assert still != SAMPLES
    result = tada("bmn", *options(data, broken, *still), "--force")
    assert result.exit_code == 0, result.output
    other = torch.load(broken / "bmn/model.pt", weights_only=True)["model"]
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_training_that_ends_in_nan_leaves_the_one_before_in_its_place(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    wild = options(data, run, "bmn.base_lr=1e30", "bmn.warmup_epochs=0")
    said = tada("bmn", *wild)
    assert said.exit_code == 1 and "--force" in said.output, said.output
    said = tada("bmn", *wild, "--force")
    assert said.exit_code == 1 and "loss is nan" in said.output, said.output
    assert "the earlier one was restored" in said.output
    assert (run / "bmn/model.pt").read_bytes() == (whole / "bmn/model.pt").read_bytes()
    shown = tada("run", "--run-dir", str(run))  # with the settings that the folder keeps
    assert shown.exit_code == 0 and "bmn: complete, nothing to do" in shown.output, shown.output
    assert not list(run.glob("bmn.*")), "a training that came to nothing leaves nothing"
