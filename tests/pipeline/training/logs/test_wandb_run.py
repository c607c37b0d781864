"""W&B, offline: a run a training, in our run's group."""

from __future__ import annotations

import pytest

pytest.importorskip("wandb", reason="wandb is not installed (an extra)")

from wandb import teardown  # what is in its process is on disk then, as at the end of ours

from pipeline.training.logs.opening import log_figures, open_log
from pipeline.training.logs.wandb_run import ID_FILE


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def opened(folder):
    return open_log(["wandb"], folder, run="own", title="bmn", settings={"bmn": {"a": 1}}, batch=4)


def test_an_offline_run_is_written_and_nothing_on_stdout(tmp_path, capfd):
    log = opened(tmp_path)
    log.begin(0, 0)
    for step in (1, 2, 3):
        log.step(1, step, 0.1, {"total": step / 8})
    log.epoch(3, {"epoch": 1, "lr": 0.1, "total": 0.25, "val_total": 0.5})
    log.save()
    log.close()
    teardown()
    assert capfd.readouterr().out == ""
    files = list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 1 and files[0].stat().st_size > 500
    name = (tmp_path / ID_FILE).read_text().strip()
    assert name in files[0].name
    assert b"epoch/val_total" in files[0].read_bytes()
    again = opened(tmp_path)
    again.begin(2, 0)
    again.close()
    assert (tmp_path / ID_FILE).read_text().strip() == name, "it goes on as the same run of theirs"
    new = opened(tmp_path)
    new.begin(0, 0)
    new.close()
    assert (tmp_path / ID_FILE).read_text().strip() != name, "another training is another run"


def test_figures_are_a_summary(tmp_path):
    log_figures(["wandb"], tmp_path, run="own", settings={"a": 1}, figures={"mAP/average": 61.5})
    teardown()
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert b"mAP/average" in file.read_bytes()
