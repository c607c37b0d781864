"""The classifier's own test: what its views show, how they are averaged, what it is run on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.commands import main
from pipeline.data.clips.segments import mirrored_classes
from pipeline.demo.dataset import make_dataset

SMALL = [
    "backbone.depth=[1,1,1,1]", "backbone.width=4", "backbone.pretrained=null", "finetune.epochs=1",
    "finetune.warmup_epochs=0", "finetune.batch_size=4", "finetune.crop=32", "finetune.frames=4",
    "finetune.short_side=[32,36]", "finetune.eval_short_side=32", "views.short_side=32",
    "runtime.device=cpu", "runtime.workers=0",
]  # fmt: skip


def tada(*arguments: str):
    line = list(arguments)
    for assignment in SMALL:
        line += ["--set", assignment]
    return CliRunner().invoke(main, line, catch_exceptions=False)


@pytest.fixture
def trimmed_videos(tmp_path, monkeypatch):
    """Six short files, and both data sets' annotation files for them."""
    make_dataset(tmp_path / "drawn", train_videos=4, val_videos=2, seconds=6.0)
    videos = sorted((tmp_path / "drawn/videos").iterdir())
    monkeypatch.chdir(tmp_path)
    kinetics, something = Path("data/k400"), Path("data/ssv2")
    for folder in (kinetics, something):
        (folder / "videos").mkdir(parents=True)
    rows = {"train": [], "val": []}
    entries = {"train": [], "validation": []}
    for number, video in enumerate(videos):
        label = ("abseiling", "zumba")[number % 2]
        shutil.copy(video, kinetics / "videos" / f"id-{number}_000003_000013.mp4")
        rows["train" if number < 4 else "val"].append(f"{label},id-{number},3,13,x")
        shutil.copy(video, something / "videos" / f"{number}{video.suffix}")
        side = ("left to right", "right to left")[number % 2]
        entries["train" if number < 4 else "validation"].append(
            {"id": str(number), "label": "x", "template": f"Pushing [something] from {side}"}
        )
    for name, lines in rows.items():
        head = "label,youtube_id,time_start,time_end,split"
        (kinetics / f"{name}.csv").write_text("\n".join([head, *lines]) + "\n")
    for name, items in entries.items():
        (something / f"something-something-v2-{name}.json").write_text(json.dumps(items))
    labels = {
        f"Pushing something from {s}": str(i)
        for i, s in enumerate(("left to right", "right to left"))
    }
    (something / "something-something-v2-labels.json").write_text(json.dumps(labels))
    return tmp_path


@pytest.mark.parametrize("name", ["k400", "ssv2"])
def test_shipped_classifier_configs_train_and_test(trimmed_videos, name):
    assert tada("finetune", "--config", name).exit_code == 0
    result = tada("eval-classifier", "--config", name)
    assert result.exit_code == 0, result.output
    assert "2 segments" in result.output and "top-1" in result.output
    file = trimmed_videos / f"runs/{name}/eval-classifier/results.json"
    before = json.loads(file.read_text())
    assert set(before["tasks"]) == {"class"} and before["segments"] == 2
    assert "complete" in tada("eval-classifier", "--config", name).output
    result = tada("eval-classifier", "--config", name, "--crops", "1")
    assert result.exit_code == 0, result.output
    result = tada("extract", "--config", name)
    assert result.exit_code == 1 and "no section extract" in result.output
    assert "no section extract" in tada("doctor", "--config", name).output


@pytest.mark.parametrize("name", ["k400", "ssv2"])
def test_the_plan_of_a_classifier_is_its_training_and_its_test(trimmed_videos, name):
    result = tada("plan", "--config", name, "--json", "plan.json")
    assert result.exit_code == 0, result.output
    training, test = json.loads(Path("plan.json").read_text())["stages"]
    assert (training["stage"], training["unit"], training["count"]) == ("finetune", "clips", 4)
    clips = 2 * {"k400": 10, "ssv2": 2}[name]
    assert (test["stage"], test["unit"], test["count"]) == ("eval-classifier", "views", clips * 3)
    for cost in (training, test):
        assert cost["hours"] == pytest.approx(cost["count"] / cost["rate"] / 3600)
    # a clip of 4 frames, 8 apart at 30, is 1.07 of the 6 s of a file; where one has frames of all of it, nothing is said
    a_file = next((trimmed_videos / f"data/{name}/videos").iterdir()).stat().st_size
    part = {"k400": 32 / 30 / 6, "ssv2": 0.0}[name]
    assert test["read"] == pytest.approx(clips * part * a_file, rel=0.5)
    assert training["read"] == pytest.approx(4 * part * a_file, rel=0.5)


def test_runs_are_averaged_and_an_ensemble_of_one_run_twice_is_that_run(trimmed_videos):
    assert tada("finetune", "--config", "k400").exit_code == 0
    assert tada("eval-classifier", "--config", "k400").exit_code == 0
    file = trimmed_videos / "runs/k400/eval-classifier/results.json"
    alone = json.loads(file.read_text())
    result = tada("eval-classifier", "--config", "k400", "--with", "runs/k400")
    assert result.exit_code == 0, result.output
    together = json.loads(file.read_text())
    assert together["runs"] == 2 and together["tasks"] == alone["tasks"]
    result = tada("eval-classifier", "--config", "k400", "--with", "runs/none")
    assert result.exit_code == 1 and "runs/none" in result.output


def test_an_unreadable_video_stops_the_test_unless_allowed(trimmed_videos):
    assert tada("finetune", "--config", "k400").exit_code == 0
    (trimmed_videos / "data/k400/videos/id-5_000003_000013.mp4").write_bytes(b"nothing")
    result = tada("eval-classifier", "--config", "k400")
    assert result.exit_code == 1 and "id-5_000003_000013" in result.output
    result = tada("eval-classifier", "--config", "k400", "--allow-failures", "1")
    assert result.exit_code == 0, result.output
    results = json.loads((trimmed_videos / "runs/k400/eval-classifier/results.json").read_text())
    assert results["segments"] == 1 and results["left_out"] == ["id-5_000003_000013"]


def test_skipped_videos_are_left_out_said_and_recorded(trimmed_videos):
    """What the line about an unreadable video advises goes on without it."""
    bad = "id-5_000003_000013"
    assert tada("finetune", "--config", "k400").exit_code == 0
    run = trimmed_videos / "runs/k400/eval-classifier"
    video = trimmed_videos / f"data/k400/videos/{bad}.mp4"
    content = video.read_bytes()
    video.write_bytes(b"nothing")
    result = tada("eval-classifier", "--config", "k400")
    assert result.exit_code == 1 and bad in result.output and "--skip FILE" in result.output
    (trimmed_videos / "skip.txt").write_text(f"# broken\n{bad}\nnot_of_this_dataset\n")
    line = ("eval-classifier", "--config", "k400", "--skip", "skip.txt")
    result = tada(*line)
    assert result.exit_code == 0, result.output
    said = f"eval-classifier: 1 videos of skip.txt are left out: {bad}"
    assert result.output.count(said) == 1
    results = json.loads((run / "results.json").read_text())
    assert (results["segments"], results["left_out"]) == (1, [bad])
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["summary"]["left_out"] == [bad]
    assert list(manifest["fields"]["evaluation videos"]) == ["id-4_000003_000013"]
    assert not (run / "failures.json").exists(), "it is the user's wish, no failure"
    # The figures of fewer segments do not pass for those of all.
    assert "complete" in tada(*line).output
    result = tada("eval-classifier", "--config", "k400")
    assert result.exit_code == 1 and f"video {bad}: " in result.output
    video.write_bytes(content)
    assert tada("eval-classifier", "--config", "k400").exit_code == 0
    assert json.loads((run / "results.json").read_text())["segments"] == 2


def test_a_video_that_is_whole_again_is_tested_on_and_the_run_keeps_its_settings(trimmed_videos):
    bad = "id-5_000003_000013"
    assert tada("finetune", "--config", "k400").exit_code == 0
    kept = (trimmed_videos / "runs/k400/config.yaml").read_bytes()
    run, video = trimmed_videos / "runs/k400/eval-classifier", f"data/k400/videos/{bad}.mp4"
    content = (trimmed_videos / video).read_bytes()
    (trimmed_videos / video).write_bytes(b"nothing")
    line = ("eval-classifier", "--config", "k400")
    assert tada(*line, "--allow-failures", "1").exit_code == 0
    assert json.loads((run / "results.json").read_text())["left_out"] == [bad]
    (trimmed_videos / video).write_bytes(content)
    result = tada(*line, "--clips", "3", "--allow-failures", "0")
    assert result.exit_code == 0, result.output
    results = json.loads((run / "results.json").read_text())
    assert (results["segments"], results["left_out"]) == (2, [])
    # A list of failures alone, of a test that was killed before it had made anything.
    for path in run.iterdir():
        path.unlink()
    rows = [{"video": bad, "stage": "eval-classifier", "reason": "cut off", "attempts": 1}]
    (run / "failures.json").write_text(json.dumps(rows))
    assert tada(*line).exit_code == 0
    assert json.loads((run / "results.json").read_text())["left_out"] == []
    assert (trimmed_videos / "runs/k400/config.yaml").read_bytes() == kept


def test_classes_in_the_mirror():
    names = [
        "Pushing [x] from left to right",
        "Pushing [x] from right to left",
        "Turning left",
        "Leftovers",
    ]
    assert mirrored_classes(names).tolist() == [1, 0, 2, 3]
    turns = [
        "turn clockwise",
        "turn counter-clockwise",
        "anticlockwise",
        "clockwise",
        "run counter clockwise",
    ]
    assert mirrored_classes(turns).tolist() == [1, 0, 3, 2, 4]
