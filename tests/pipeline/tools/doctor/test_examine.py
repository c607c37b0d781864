"""The doctor sees what is wrong, each kind of it, and nothing in a dataset that is right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import pytest
from click.testing import CliRunner
from helpers.numbered_videos import encode, even_ticks
from helpers.sound_and_picture import never_closed
from PIL import Image

from pipeline.cli.commands import main
from pipeline.data.hold_out import hold_out_videos
from pipeline.demo.dataset import make_dataset
from pipeline.printing import percent


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    make_dataset(folder, train_videos=3, val_videos=1, seconds=8.0, workers=1)
    return folder / "videos"


@pytest.fixture
def data(tmp_path: Path, drawn: Path):
    """Three training videos and one for validation, of 8 s, annotated in the ActivityNet form."""
    shutil.copytree(drawn, tmp_path / "videos")
    return tmp_path


def database() -> dict:
    names = ["training_000", "training_001", "training_002", "validation_000"]
    return {
        name: {
            "subset": name.split("_")[0],
            "duration": 8.0,
            "annotations": [
                {"segment": [1.0, 4.0], "label": "x"},
                {"segment": [5.0, 7.5], "label": "y"},
            ],
        }
        for name in names
    }


def look(data: Path, entries: dict, *more: str):
    (data / "annotations.json").write_text(json.dumps({"database": entries}))
    arguments = ["doctor", "--config", "demo", "--run-dir", str(data / "run"), "--workers", "0"]
    arguments += ["--videos", str(data / "videos"), "--annotations", str(data / "annotations.json")]
    arguments += ["--set", "dataset.format=activitynet", "--json", str(data / "report.json"), *more]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    report = json.loads((data / "report.json").read_text())
    wrong = {entry["check"]: entry for entry in report["checks"] if entry["state"] == "WRONG"}
    assert result.exit_code == (1 if wrong else 0) and report["ok"] == (not wrong), result.output
    assert not (data / "run").exists()
    return result.output, wrong, report


def test_nothing_is_wrong_with_what_is_right(data):
    output, wrong, report = look(data, database(), "--deep")
    assert not wrong and "nothing wrong" in output, output
    recall = next(
        entry["numbers"] for entry in report["checks"] if entry["check"] == "segments, validation"
    )
    assert recall == {}
    recall = [e["numbers"] for e in report["checks"] if e["check"] == "segments, validation"][-1]
    assert recall["0.5"] == 1.0 and set(recall) >= {"0.75", "0.95"}
    disk = report["checks"][-1]["numbers"]
    assert disk["features"] == 4 * 30 and disk["bytes_needed"] > 120 * 256 * 2


def test_missing_broken_and_truncated_videos(data):
    (data / "videos/training_000.mp4").unlink()
    (data / "videos/training_001.mp4").write_bytes(b"no video")
    _, wrong, _ = look(data, database())
    assert wrong["videos"]["items"] == ["training_000"]
    assert "training_001" in wrong["decoding"]["items"][0] and len(wrong) == 2
    _, wrong, _ = look(data, database(), "--allow-failures", "2")
    assert not wrong


def test_only_deep_finds_damage_inside(data):
    path = data / "videos/training_000.mp4"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    assert not look(data, database())[1]
    assert "training_000" in look(data, database(), "--deep")[1]["decoding"]["items"][0]


def test_durations(data):
    entries = database()
    entries["training_000"]["duration"] = 8.1
    assert not look(data, entries)[1]
    entries["training_000"]["duration"] = 9.5
    entries["training_001"]["duration"] = "nan"
    entries["training_001"]["annotations"][0]["segment"] = [6.0, 12.0]
    _, _, report = look(data, entries)
    found = [entry for entry in report["checks"] if entry["check"] == "durations"]
    assert "training_000 (8.00 s, annotated 9.50 s)" in found[0]["items"]
    (found,) = [entry for entry in report["checks"] if entry["check"] == "times, training"]
    assert found["items"] == ["training_001 of 8.00 s: 6 to 12"] and found["state"] == "WRONG"
    assert found["detail"].startswith("1 of ") and "0 of them begin there" in found["detail"]


def test_classes_without_training_segments(data):
    entries = database()
    entries["validation_000"]["annotations"][0]["label"] = "never trained"
    _, wrong, _ = look(data, entries)
    assert wrong["classes"]["items"] == ["never trained"] and len(wrong) == 1


def test_a_rare_class_without_training_segments_is_a_note(data):
    entries = database()
    many = [{"segment": [0.05 * i, 0.05 * i + 2.0], "label": "x"} for i in range(110)]
    entries["validation_000"]["annotations"] = [*many, {"segment": [1.0, 4.0], "label": "rare"}]
    output, wrong, report = look(data, entries)
    assert not wrong, output
    assert any(
        entry["items"] == ["rare"] and entry["state"] == "note" for entry in report["checks"]
    )


def test_processes_look_at_videos_too(data):
    (data / "videos/training_001.mp4").write_bytes(b"no video")
    _, wrong, _ = look(data, database(), "--workers", "1", "--deep")
    assert "training_001" in wrong["decoding"]["items"][0] and len(wrong) == 1


def test_split_leaks_by_name_and_by_content(data):
    entries = database()
    entries["v_training_000"] = {**entries["validation_000"]}
    _, wrong, _ = look(data, entries)
    assert wrong["splits"]["items"][0] == "training_000 (training) = v_training_000 (validation)"
    shutil.copy(data / "videos/training_001.mp4", data / "videos/validation_000.mp4")
    _, wrong, _ = look(data, database())
    assert wrong["splits"]["items"] == ["training_001 (training) = validation_000 (validation)"]


def test_segments_the_grid_cannot_represent(data):
    entries = database()
    entries["training_000"]["annotations"] = [
        {"segment": [1.0, 1.1], "label": "x"}, {"segment": [2.0, 7.0], "label": "y"},
    ]  # fmt: skip
    _, wrong, report = look(data, entries, "--set", "bmn.duration_scale=4")
    assert wrong.keys() == {"segments, training", "segments, validation"}
    items = {
        entry["detail"]: entry["items"]
        for entry in report["checks"]
        if "training" in entry["check"]
    }
    shorter = next(value for key, value in items.items() if "than a BMN position" in key)
    longer = next(value for key, value in items.items() if "longer than duration_scale" in key)
    assert shorter == ["training_000 [1.00, 1.10]"]
    assert "training_000 [2.00, 7.00]" in longer and len(longer) == 5


def test_bad_annotations_are_a_finding(data):
    _, wrong, _ = look(data, {"../x": database()["training_000"]})
    assert "is not a plain file name" in wrong["annotations"]["detail"]


def trainings(report):
    found = [entry for entry in report["checks"] if entry["check"].startswith("training, ")]
    assert [entry["check"] for entry in found] == ["training, finetune", "training, bmn"]
    return found


def test_short_trainings_are_noted_with_what_to_do(data):
    _, wrong, report = look(data, database())
    finetune, bmn = trainings(report)
    # Three videos of two segments; each of 30 features lies in one window of 80.
    assert finetune["detail"].startswith(
        "6 clips in batches of 32: 44 epochs of 1 steps, 44 in all; 44 steps are too few to train"
    )
    assert bmn["detail"].startswith("3 windows in batches of 8: 20 epochs of 1 steps, 20 in all; ")
    assert "set bmn.min_steps=300 or more" in bmn["detail"]
    assert finetune["state"] == bmn["state"] == "note" and not wrong
    assert bmn["numbers"] == {"windows": 3, "batch_size": 8, "epochs": 20, "steps": 20}


def test_trainings_made_long_enough_are_fine(data):
    raised = ("--set", "finetune.min_steps=300", "--set", "bmn.min_steps=300")
    _, _, report = look(data, database(), *raised)
    finetune, bmn = trainings(report)
    assert finetune["state"] == bmn["state"] == "ok"
    # 8 is the least batch of fine-tuning; BMN's is a quarter of 3 windows, at least 1.
    assert finetune["detail"] == "6 clips in batches of 8: 300 epochs of 1 steps, 300 in all"
    assert bmn["detail"] == "3 windows in batches of 1: 100 epochs of 3 steps, 300 in all"


def test_trainings_go_without_skipped_and_held_out_videos(data):
    (data / "skip.txt").write_text("training_000\n")
    held = ("--set", "dataset.hold_out=0.01", "--set", "bmn.keep=best")
    for more, segments in (
        (("--set", f"runtime.skip={data / 'skip.txt'}"), 4), (held, 4), ((), 6)
    ):  # fmt: skip
        finetune, bmn = trainings(look(data, database(), *more)[2])
        assert finetune["detail"].startswith(f"{segments} clips")
        assert bmn["detail"].startswith(f"{segments // 2} windows")


def test_videos_held_out_for_nothing_are_wrong(data):
    _, wrong, _ = look(data, database(), "--set", "dataset.hold_out=0.01")
    assert "nothing is chosen by them" in wrong["hold out"]["detail"] and len(wrong) == 1


def test_a_class_that_only_videos_held_out_have_is_not_trained(data):
    entries = database()
    more = ("--set", "dataset.hold_out=0.01", "--set", "bmn.keep=best")
    (held,) = hold_out_videos([name for name in entries if "training" in name], 0.01, 0)[1]
    for name in (held, "validation_000"):
        entries[name]["annotations"][0]["label"] = "apart"
    _, wrong, _ = look(data, entries, *more)
    assert wrong["classes"]["items"] == ["apart"] and "trains in" in wrong["classes"]["detail"]
    assert not look(data, entries)[1]


def test_whole_frames_of_several_shapes_take_more_batches(data):
    for number, size in enumerate([(48, 48), (48, 64)]):
        frames = data / f"videos/training_00{number}"
        (data / f"videos/training_00{number}.mp4").unlink()
        frames.mkdir()
        for frame in range(8):
            Image.new("RGB", size).save(frames / f"frame_{frame + 1:010d}.jpg")
    more = ("--set", "dataset.frame_fps=1", "--set", "finetune.crop=whole")
    finetune, _ = trainings(look(data, database(), *more)[2])
    assert "epochs of 3 steps" in finetune["detail"]


def test_segments_longer_than_every_window_are_wrong(data):
    fields = ("bmn.temporal_scale=4", "bmn.duration_scale=4", "bmn.window_step=4")
    more = [part for field in fields for part in ("--set", field)]
    _, wrong, report = look(data, database(), *more)
    assert "no window holds a whole training segment" in wrong["training, bmn"]["detail"]
    assert trainings(report)[0]["state"] == "note"


@pytest.mark.parametrize(
    "setting",
    [
        "backbone.tada_stages=[9]",
        "backbone.name=tada3d",
        "backbone.kernels=[2,3]",
        "backbone.calibrate=in_out backbone.name=tsn",
    ],
)
def test_a_network_that_cannot_be_is_refused_with_finetunes_line(data, setting):
    settings = [word for key in setting.split() for word in ("--set", key)]
    _, wrong, _ = look(data, database(), *settings)
    assert set(wrong) == {"network"}
    arguments = ["finetune", "--config", "demo", "--run-dir", str(data / "other"), "--workers", "0"]
    arguments += ["--videos", str(data / "videos"), "--annotations", str(data / "annotations.json")]
    arguments += ["--set", "dataset.format=activitynet", "--device", "cpu", *settings]
    refused = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert refused.exit_code == 2
    assert refused.output.splitlines()[-1] == f"Error: {wrong['network']['detail']}"


def test_what_a_stage_would_refuse_is_said_where_nothing_else_is_wrong(data):
    groups = ("bmn.groups=3", "bmn.hidden_1d=255")
    assert "bmn.groups = 3: the" in look(data, database(), *groups)[1]["network"]["detail"]
    held = ("dataset.hold_out=0.2", "finetune.keep=last", "bmn.keep=last")
    assert "stages" not in look(data, database(), *held)[1]  # said as "hold out"


def test_what_only_the_stages_know_is_a_finding_of_its_own(data, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("pipeline.tools.doctor.examine.look_at_videos", lambda *_: ({}, {}))
    wrong = look(data, database(), "extract.decoder=decord")[1]
    assert list(wrong) == ["stages"] and "not installed" in wrong["stages"]["detail"]
    entries = database()
    entries["validation_000"]["annotations"] = []
    assert "stages" not in look(data, entries)[1]


@pytest.mark.parametrize("video", ["a\tb", "a\x1bb", ".tmp-a", ".."])
def test_ids_that_later_stages_refuse(data, video):
    wrong = look(data, database() | {video: database()["training_000"]})[1]
    assert "is not a plain file name" in wrong["annotations"]["detail"]


def test_labels_that_later_stages_refuse(data):
    entries = database()
    entries["training_001"]["annotations"][1]["label"] = "x\ry"
    wrong = look(data, entries)[1]
    assert "training_001, annotation 1: label" in wrong["annotations"]["detail"]


def named(report: dict, check: str) -> list[dict]:
    return [entry for entry in report["checks"] if entry["check"] == check]


def test_what_is_no_video_is_named_for_what_it_is(data):
    """A dead link, a page, a pointer and a broken download: each its own line, and none a crash."""
    names = sorted(database())
    for name in names:
        (data / f"videos/{name}.mp4").unlink()
    (data / f"videos/{names[0]}.mp4").symlink_to(data / "gone.mp4")
    (data / f"videos/{names[1]}.mp4").write_text("<html><body>Sign in</body></html>")
    (data / f"videos/{names[2]}.mp4").write_text("version https://git-lfs.github.com/spec/v1\n")
    (data / f"videos/{names[3]}.mp4").write_bytes(
        b"\0\0\0\x10ftypisom\0\0\2\0\0\1\0\0mdat" + b"\1" * 900
    )
    _, wrong, _ = look(data, database())
    said = " ".join([*wrong["decoding"]["items"], wrong["videos"]["detail"]])
    for part in ("gone.mp4, which does not exist", "web page (HTML)", "git-LFS pointer", "no moov"):
        assert part in said


def test_damage_names_the_key_that_takes_a_part_and_is_a_note_with_it(data):
    path = data / "videos/training_000.mp4"
    content = path.read_bytes()
    moov, mdat = content.index(b"moov") - 4, content.index(b"mdat") - 4
    assert (
        mdat < moov
    )  # the index is behind: a cut would leave nothing, so the pictures are damaged
    path.write_bytes(content[: mdat + 9000] + b"\xff" * 3000 + content[mdat + 12000 :])
    _, wrong, _ = look(data, database(), "--deep")
    assert "extract.allow_partial=true" in wrong["decoding"]["items"][0]
    _, wrong, report = look(data, database(), "--deep", "--set", "extract.allow_partial=true")
    assert "decoding" not in wrong
    note = named(report, "decoding")[1]
    assert note["state"] == "note" and note["items"][0].startswith("training_000 (")


def test_key_frames_far_apart_are_a_note(data):
    if int(av.__version__.split(".")[0]) < 16:
        pytest.skip("this PyAV shows no index")
    encode(data / "videos/training_000.mp4", even_ticks(1200), g="9000", sc_threshold="0")
    entries = database()
    entries["training_000"]["duration"] = 40.0
    output, wrong, report = look(data, entries)
    (note,) = named(report, "key frames")
    assert not wrong and note["state"] == "note" and note["items"] == ["training_000 (40 s)"]
    assert "slow" in output


def test_an_avi_that_was_never_closed_is_as_long_as_its_frames(data):
    (data / "videos/training_000.mp4").unlink()
    never_closed(data / "videos/training_000.avi", 240)
    output, wrong, _ = look(data, database())
    assert not wrong and "0.00 s" not in output


def test_all_of_something_is_100_percent(data):
    entries = database()
    for segment in entries["validation_000"]["annotations"]:
        segment["label"] = "never trained"
    output, _, _ = look(data, entries)
    assert "(100 % of the validation segments)" in output
    assert [percent(share) for share in (1, 0.999, 0.25, 0.0423, 0.001)] == [
        "100",
        "100",
        "25",
        "4.2",
        "0.1",
    ]
