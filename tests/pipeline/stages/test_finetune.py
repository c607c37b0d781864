"""Fine-tuning as a stage: whose videos train, and what a training that was stopped goes on with."""

from __future__ import annotations

import json
import shutil
import time

import pandas as pd
import pytest
from helpers.small_runs import kill, options, start, tada

from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.stages import finetune


def test_training_goes_on_without_unreadable_videos_only_where_allowed(data, tmp_path):
    videos = tmp_path / "videos"
    shutil.copytree(data / "videos", videos)
    bad = pd.read_csv(data / "annotations.csv").query("subset == 'training'")["video"].iloc[0]
    (videos / f"{bad}.mp4").write_bytes(b"no video")
    run = tmp_path / "run"
    more = options(data, run, f"dataset.videos={videos}")
    result = tada("finetune", *more)
    assert result.exit_code == 1 and f"video {bad}: " in result.output
    assert "--allow-failures 1" in result.output
    result = tada("finetune", *more, "--allow-failures", "1")
    assert result.exit_code == 0, result.output
    assert result.output.count(f"video {bad} is left out") == 1
    failures = json.loads((run / "finetune/failures.json").read_text())
    assert [row["video"] for row in failures] == [bad]
    manifest = json.loads((run / "finetune/manifest.json").read_text())
    assert manifest["summary"]["left_out"] == [bad]


def test_a_video_that_failed_before_anything_was_trained_is_tried_again(data, tmp_path):
    """Killed before its first checkpoint, a training has done no step without the video."""
    run = tmp_path / "run"
    (run / "finetune").mkdir(parents=True)
    rows = [{"video": "training_000", "stage": "finetune", "reason": "cut off", "attempts": 1}]
    (run / "finetune/failures.json").write_text(json.dumps(rows))
    result = tada("finetune", *options(data, run))
    assert result.exit_code == 0, result.output
    manifest = json.loads((run / "finetune/manifest.json").read_text())
    assert manifest["summary"]["left_out"] == [] and not (run / "finetune/failures.json").exists()


def test_a_checkpoint_of_other_segments_is_refused(data, tmp_path):
    run = tmp_path / "run"
    extra = ("finetune.epochs=400", "finetune.checkpoint_seconds=0.001")
    process = start(["finetune", *options(data, run, *extra)])
    while not (run / "finetune/checkpoint.pt").exists():
        assert process.poll() is None
        time.sleep(0.05)
    kill(process)
    videos = tmp_path / "videos"
    shutil.copytree(data / "videos", videos)
    gone = pd.read_csv(data / "annotations.csv").query("subset == 'training'")["video"].iloc[0]
    (videos / f"{gone}.mp4").unlink()
    line = options(data, run, *extra, f"dataset.videos={videos}")
    result = tada("finetune", *line, "--allow-failures", "1")
    assert result.exit_code == 1 and "other settings or samples" in result.output


def test_a_shape_of_too_few_clips_is_refused_by_several_processes(monkeypatch):
    settings = load_config(find_config("demo"), {"finetune.crop": "whole"}).finetune
    finetune._require_shared([4, 1], settings)
    monkeypatch.setenv("WORLD_SIZE", "2")
    finetune._require_shared([4, 2], settings)
    with pytest.raises(
        UserError, match="a batch of 1 clips .* 2 processes: whole frames"
    ) as caught:
        finetune._require_shared([4, 1], settings)
    assert "\n" not in caught.value.message
