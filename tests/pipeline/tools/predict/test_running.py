"""predict on many videos: what is done stays done, what fails is counted, what a person changed is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from helpers.same_detections import in_order
from helpers.small_runs import error_line, kill, start, tada

from pipeline.data.features.store import FeatureStore
from pipeline.results.tables import read_detections, read_given
from pipeline.run_folder.temporary import temporary_path
from pipeline.runs.run import run_of

VIDEOS = ("validation_000", "validation_001")


@pytest.fixture
def place(data, tmp_path, monkeypatch):
    """A folder with the validation videos, and one that is none."""
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    for video in VIDEOS:
        shutil.copy(data / "videos" / f"{video}.mp4", "videos")
    return tmp_path


def predict(whole, *more: str, code: int = 0, workers: int = 0):
    arguments = ["predict", "videos", "--run-dir", str(whole), "--device", "cpu"]
    result = tada(*arguments, "--workers", str(workers), *more)
    assert result.exit_code == code, result.output
    return result


def of_run(whole) -> pd.DataFrame:
    run = run_of(whole)
    return read_detections(run.path("classify"), run.dataset, run.subsets[1])


@pytest.mark.parametrize("workers", [0, 2])
def test_the_detections_of_the_run(place, whole, workers):
    output = predict(whole, workers=workers).output
    found, wanted = read_given(Path("predictions/detections.csv")), of_run(whole)
    assert list(found) == list(wanted)
    pd.testing.assert_frame_equal(in_order(found), in_order(wanted), check_exact=True)
    for video in VIDEOS:
        mine = read_given(Path(f"predictions/videos/{video}.csv"))
        theirs = wanted[wanted["video"] == video]
        pd.testing.assert_frame_equal(in_order(mine), in_order(theirs), check_exact=True)
        assert video in output
    results = json.loads(Path("predictions/detections.json").read_text())
    assert results["results"].keys() == set(VIDEOS)
    assert sum(map(len, results["results"].values())) == len(wanted)
    assert all(abs(one["duration"] - 14) < 0.5 for one in results["videos"].values())


def test_scored_as_the_run_is(place, whole, data):
    predict(whole)
    result = tada(
        "score", "predictions/detections.json", "--config", str(whole / "config.yaml"), "--json", "a.json"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    mine = json.loads(Path("a.json").read_text())["tasks"]
    theirs = json.loads((whole / "eval/results.json").read_text())["tasks"]
    assert mine["mAP"]["average"] == pytest.approx(theirs["mAP"]["average"], abs=1e-9)


def count_extractions(monkeypatch) -> list[str]:
    from pipeline.prediction.detector import Detector

    seen: list[str] = []
    features = Detector.features

    def counted(self, source, **more):
        seen.append(Path(source).stem)
        return features(self, source, **more)

    monkeypatch.setattr(Detector, "features", counted)
    return seen


def test_again_does_the_rest(place, whole, data, monkeypatch):
    seen = count_extractions(monkeypatch)
    predict(whole)
    assert seen == list(VIDEOS)
    before = {path: path.read_bytes() for path in Path("predictions").rglob("*.csv")}
    again = predict(whole)
    assert seen == list(VIDEOS) and "2 of 2 videos are done" in again.output
    assert before == {path: path.read_bytes() for path in Path("predictions").rglob("*.csv")}
    shutil.copy(data / "videos/training_000.mp4", "videos")
    predict(whole)
    assert seen == [*VIDEOS, "training_000"]
    shutil.copy(data / "videos/training_001.mp4", "videos/training_000.mp4")  # another video
    predict(whole)
    assert seen == [*VIDEOS, "training_000", "training_000"]
    predict(whole, "--precision", "bfloat16")
    assert len(seen) == 4 + 3


def test_other_wishes_need_no_video_again(place, whole, monkeypatch):
    predict(whole)
    seen = count_extractions(monkeypatch)
    predict(whole, "--top", "3", "--subtitles", "--elan", "--via", "--timeline", "--label-studio")
    assert not seen
    assert len(read_given(Path("predictions/detections.csv"))) == 6
    files = {path.name for path in Path("predictions/videos").iterdir()}
    endings = (".csv", ".json", ".html", ".srt", ".vtt", ".eaf", ".via.json")
    assert files == {f"{v}{end}" for v in VIDEOS for end in endings} | {"videos.jsonl"}
    label, *_ = read_given(Path("predictions/detections.csv"))["label"]
    predict(whole, "--classes", label, "--threshold", "0.01")
    assert set(read_given(Path("predictions/detections.csv"))["label"]) == {label}


def test_what_a_person_changed_is_kept(place, whole):
    predict(whole, "--elan")
    path = Path(f"predictions/videos/{VIDEOS[0]}.eaf")
    corrected = path.read_text().replace("detections", "corrected")
    path.write_text(corrected)
    again = predict(whole, "--elan")  # it is there and was made so
    assert path.read_text() == corrected and "kept" not in again.output
    output = predict(whole, "--elan", "--top", "5").output
    (kept,) = Path("predictions/videos").glob(f"{VIDEOS[0]}.2*.eaf")
    assert kept.read_text() == corrected and f"renamed to {kept.name}" in output
    assert path.read_text() != corrected
    predict(whole, "--elan", "--top", "4")
    assert len(list(Path("predictions/videos").glob(f"{VIDEOS[0]}*.eaf"))) == 2


def test_what_lay_there_before_is_kept(place, whole):
    Path("predictions/videos").mkdir(parents=True)
    Path(f"predictions/videos/{VIDEOS[0]}.csv").write_text("mine")
    Path("predictions/detections.csv").write_text("mine, too")
    output = predict(whole).output
    kept = [path.read_text() for path in Path("predictions").rglob("*.2*.csv")]
    assert sorted(kept) == ["mine", "mine, too"] and output.count("it was renamed to") == 2


@pytest.mark.parametrize("linked", [False, True])
def test_clips_that_lay_there_before_are_kept(place, whole, linked):
    folder = Path("predictions/videos/validation_000.clips")
    kept = Path("elsewhere") if linked else folder
    kept.mkdir(parents=True)
    if linked:
        folder.parent.mkdir(parents=True)
        folder.symlink_to(kept.resolve())
    (kept / "001_mine_0.00-1.00s_0.500.mp4").write_text("mine")
    (kept / "notes.txt").write_text("mine, too")
    output = predict(whole, "--clips", "--top", "1").output
    assert output.count("it was renamed to") == 1
    assert (kept / "notes.txt").read_text() == "mine, too"
    (moved,) = kept.glob("001_mine_0.00-1.00s_0.500.*.mp4")
    assert moved.read_text() == "mine"
    assert "it was renamed to" not in predict(whole, "--clips", "--top", "2").output
    assert moved.read_text() == "mine" and len(list(kept.iterdir())) == 4


def test_files_that_a_kill_left_unrecorded_are_no_ones_work(place, whole):
    predict(whole)
    for ledger in Path("predictions").rglob("videos.jsonl"):
        ledger.unlink()
    output = predict(whole).output
    assert "renamed to" not in output
    assert {path.name for path in Path("predictions/videos").glob("*.csv")} == {
        f"{v}.csv" for v in VIDEOS
    }


def test_videos_that_fail_are_counted(place, whole):
    Path("videos/broken.mp4").write_bytes(b"no video at all" * 100)
    Path("videos/none.mp4").write_bytes(b"")
    result = predict(whole, code=1)
    line = error_line(result)
    assert "predict: 2 videos failed" in line and "broken" in line and "none" in line
    assert "--allow-failures 2" in line and "--skip" not in line  # predict has no such option
    assert "detections in 2 videos; the files are in predictions" in result.output
    failures = json.loads(Path("predictions/failures.json").read_text())
    assert {row["video"] for row in failures} == {"broken", "none"}
    # The others are done all the same.
    assert set(read_given(Path("predictions/detections.csv"))["video"]) == set(VIDEOS)
    predict(whole, "--allow-failures", "2")
    assert "predict: 2 videos failed" in error_line(predict(whole, "--allow-failures", "1", code=1))


def test_a_damaged_video_is_taken_in_part_where_asked(place, whole):
    path = Path(f"videos/{VIDEOS[0]}.mp4")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 10] = bytes(len(content) // 10)
    path.write_bytes(content)
    line = error_line(predict(whole, code=1))
    assert "use its readable part (tada-loc predict --allow-partial)" in line
    output = predict(whole, "--allow-partial").output
    assert f"video {VIDEOS[0]}: " in output and "s damaged or missing" in output
    assert set(read_given(Path("predictions/detections.csv"))["video"]) == set(VIDEOS)


def test_no_detection_left_is_said(place, whole):
    output = predict(whole, "--threshold", "1").output
    best = of_run(whole)["score"].max()
    assert output.count("  no detection\n") == 2 and "0 detections in 2 videos" in output
    assert f"in 2 of 2 videos no detection passes --threshold and --classes; the best rejected score is {best:.3f}" in output  # fmt: skip
    assert "no detection passes" not in predict(whole, "--top", "1").output


def test_another_video_of_a_name_is_said(place, whole, data):
    predict(whole, f"videos/{VIDEOS[0]}.mp4", "--top", "1")
    Path("other").mkdir()
    shutil.copy(data / "videos/training_000.mp4", f"other/{VIDEOS[0]}.mp4")
    arguments = ["predict", f"other/{VIDEOS[0]}.mp4", "--run-dir", str(whole), "--device", "cpu"]
    said = f"video {VIDEOS[0]}: other/{VIDEOS[0]}.mp4 is a different video than before"
    assert said in tada(*arguments).output
    assert said not in tada(*arguments).output


def test_predictions_beside_the_videos(place, whole, monkeypatch):
    monkeypatch.chdir("videos")
    for _ in range(2):
        arguments = ["predict", ".", "--run-dir", str(whole), "--device", "cpu", "--to", "."]
        result = tada(*arguments, "--top", "1", "--render", "--clips")
        assert result.exit_code == 0 and "2 detections in 2 videos" in result.output


def test_folders_and_names_that_cannot_be_used(place, whole, tmp_path):
    (tmp_path / "run/finetune").mkdir(parents=True)
    (tmp_path / "run/config.yaml").write_text("")
    line = error_line(predict(whole, "--to", "run", code=1))
    assert "run: is the folder of a run" in line and "--to run/predictions" in line
    Path("file").write_text("")
    assert "--run-dir" not in error_line(predict(whole, "--to", "file", code=1))
    long = "n" * 244
    shutil.copy(f"videos/{VIDEOS[0]}.mp4", f"videos/{long}.mp4")
    line = error_line(predict(whole, "--render", code=1))
    assert "its .rendered.mp4 would have a name of 257 bytes" in line
    assert not Path("predictions").exists()  # before any work
    predict(whole, "--top", "1")


def test_what_a_killed_worker_left_half_written_goes(place, whole):
    predict(whole)
    name = temporary_path(Path("predictions/videos/a.rendered.mp4")).name
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = Path("predictions/videos") / name.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    left.write_bytes(b"x")
    predict(whole)
    assert not left.exists()


def test_features_are_kept_where_asked(place, whole):
    predict(whole, "--to", "plain")
    assert not list(Path("plain").rglob("*.h5"))
    predict(whole, "--to", "plain", "--save-features")
    run = run_of(whole)
    for video in VIDEOS:
        mine = FeatureStore(Path("plain"), run.features.made)(video)
        assert (mine.array == run.features(video).array).all()
        assert mine.duration == run.features(video).duration


def test_a_damaged_record_is_made_again(place, whole, monkeypatch):
    predict(whole)
    path = Path(f"predictions/raw/{VIDEOS[0]}.npz")
    path.write_bytes(path.read_bytes()[:-200])
    seen = count_extractions(monkeypatch)
    predict(whole)
    assert seen == [VIDEOS[0]]


def test_ground_truth_of_the_run_is_shown(place, whole, data):
    shutil.copy(data / "videos/training_000.mp4", "videos/other.mp4")
    predict(whole, "--timeline")
    rows = run_of(whole).dataset.annotations
    page = Path(f"predictions/videos/{VIDEOS[0]}.html").read_text()
    label = rows[rows["video"] == VIDEOS[0]]["label"].iloc[0]
    assert label in page
    # By content: another video of that name has no such truth.
    shutil.copy("videos/other.mp4", f"videos/{VIDEOS[0]}.mp4")
    predict(whole, "--timeline")
    assert Path(f"predictions/videos/{VIDEOS[0]}.html").read_text() != page


@pytest.mark.slow
def test_killed_at_any_moment(place, whole, data):
    """Killed again and again, the same command ends with the files of an unbroken one."""
    for number in range(4):
        shutil.copy(data / f"videos/training_00{number}.mp4", "videos")
    options = ("--timeline", "--subtitles", "--via", "--clips", "--top", "4")
    predict(whole, "--to", "unbroken", *options)
    arguments = ["predict", "videos", "--run-dir", str(whole), "--device", "cpu", "--workers", "1"]
    for seconds in (4.0, 5.0, 6.0, 7.0):
        process = start([*arguments, "--to", "broken", *options], cwd=place)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill(process)
    predict(whole, "--to", "broken", *options)
    files = {path.relative_to("unbroken") for path in Path("unbroken").rglob("*") if path.is_file()}
    there = {path.relative_to("broken") for path in Path("broken").rglob("*") if path.is_file()}
    assert files == there
    for path in sorted(files):
        if path.suffix in {".csv", ".npz", ".srt", ".vtt"}:
            assert ("unbroken" / path).read_bytes() == ("broken" / path).read_bytes(), path
