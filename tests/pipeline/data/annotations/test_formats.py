"""Every form of annotations: detected from its content, read right by its name, refused in one line by another."""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import annotation_files
from helpers.annotation_files import SAMPLES, Sample, as_json

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import load_annotations
from pipeline.data.annotations.dataset import Dataset, Inputs
from pipeline.data.annotations.formats import FORMATS, expanded, format_of, read_format
from pipeline.errors import UserError

each = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def written(folder: Path, sample: Sample) -> Path:
    path = folder / sample.name
    path.write_bytes(sample.content)
    return path


def read(path: Path, sample: Sample, **inputs: object) -> Dataset:
    return read_format(sample.kind, Inputs([path], fps=sample.fps, **inputs))


def rows_of(dataset: Dataset) -> list[tuple[str, float, float, str]]:
    columns = ["video", "start", "end", "label"]
    return [tuple(row) for row in dataset.annotations[columns].itertuples(index=False)]


@each
def test_each_form_is_told_and_read(tmp_path, sample):
    path = written(tmp_path, sample)
    assert format_of([path]) == sample.kind
    dataset = read(path, sample)
    found = rows_of(dataset)
    assert [row[::3] for row in found] == [row[::3] for row in sample.rows]
    times = np.array([row[1:3] for row in found])
    assert np.allclose(times, [row[1:3] for row in sample.rows], rtol=0, atol=1e-12)
    videos = set(dataset.videos["video"])
    assert videos == {row[0] for row in sample.rows} | set(sample.empty)
    assert dataset.heads == (tuple(sorted({row[3] for row in sample.rows})),)


def test_every_form_has_a_sample():
    whole = {"epic_kitchens", "kinetics", "something"}
    assert {sample.kind for sample in SAMPLES.values()} == set(FORMATS) - whole


@each
def test_auto_in_the_configuration_reads_as_the_name_does(tmp_path, sample):
    path = written(tmp_path, sample)
    dataset = read(path, sample)
    settings = {
        "name": "own",
        "annotations": str(path),
        "videos": str(tmp_path),
        "annotation_fps": sample.fps,
        "train_subset": "training",
        "eval_subset": dataset.videos["subset"].iloc[0],
    }
    loaded = load_annotations(DatasetSettings.model_validate({**settings, "format": "auto"}))
    assert rows_of(loaded) == rows_of(dataset)


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"kinetics"}))
def test_another_form_is_named(tmp_path, kind):
    other = SAMPLES["cvat" if kind != "cvat" else "via"]
    path = written(tmp_path, other)
    with pytest.raises(UserError) as caught:
        read_format(kind, Inputs([path]))
    assert f"dataset.format: {other.kind}" in caught.value.message
    assert "\n" not in caught.value.message


NAMED_BY_FILE = {"audacity", "thumos14", "multithumos", "elan"}


@pytest.mark.parametrize(
    "name", sorted(set(SAMPLES) - {n for n in SAMPLES if n.split()[0] in NAMED_BY_FILE})
)
def test_packed_files_are_read(tmp_path, name):
    sample = SAMPLES[name]
    path = tmp_path / f"{sample.name}.gz"
    path.write_bytes(gzip.compress(sample.content))
    assert [row[0] for row in rows_of(read(path, sample))] == [row[0] for row in sample.rows]


def test_frames_at_the_rate_of_the_video(tmp_path):
    path = written(tmp_path, SAMPLES["cvat"])
    with pytest.raises(UserError, match="annotation_fps"):
        read_format("cvat", Inputs([path], videos=tmp_path))
    with av.open(str(tmp_path / "v06.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    rows = rows_of(read_format("cvat", Inputs([path], videos=tmp_path)))
    assert rows == [("v06", 2.3, 5.3, "right")]
    rows = rows_of(read_format("cvat", Inputs([path], videos=tmp_path, fps=23)))
    assert rows == [("v06", 1.0, 53 / 23, "right")]


def test_the_rate_of_label_studio(tmp_path):
    tasks = json.loads(SAMPLES["label_studio"].content)
    tasks[0]["data"]["fps"] = "15"
    path = tmp_path / "a.json"
    path.write_bytes(as_json(tasks))
    dataset = read_format("label_studio", Inputs([path]))
    assert rows_of(dataset) == list(SAMPLES["label_studio"].rows)
    assert not any("frameRate" in note for note in dataset.notes)
    (tmp_path / "videos").mkdir()
    path = written(tmp_path, SAMPLES["label_studio"])
    with av.open(str(tmp_path / "videos" / "v06.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=15)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    dataset = read_format("label_studio", Inputs([path], videos=tmp_path / "videos"))
    assert rows_of(dataset) == list(SAMPLES["label_studio"].rows)
    assert [count for note, count in dataset.notes.items() if "frameRate" in note] == [1]


def test_a_rate_where_times_are_seconds_is_refused(tmp_path):
    for name in ("elan", "activitynet", "table"):
        sample = dataclasses.replace(SAMPLES[name], fps=15)
        with pytest.raises(UserError, match="annotation_fps"):
            read(written(tmp_path, sample), sample)


def test_several_files_and_folders(tmp_path):
    for video in ("a", "b", "c"):
        (tmp_path / f"{video}.txt").write_text("1\t2\trun\n")
    (tmp_path / "a.mp4").write_bytes(b"no annotations")
    files = expanded([tmp_path])
    assert [file.name for file in files] == ["a.txt", "b.txt", "c.txt"]
    dataset = read_format(format_of(files), Inputs(files))
    assert dataset.video_ids("training") == ["a", "b"]
    assert dataset.video_ids("validation") == ["c"]
    (tmp_path / "d.json").write_bytes(as_json(annotation_files.VIA))
    with pytest.raises(UserError, match=r"d\.json: looks like VIA 3"):
        format_of(expanded([tmp_path]))
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="0 annotation files"):
        expanded([tmp_path / "none"])


def test_thumos14_from_its_folders(tmp_path):
    for part, name in (("val", "validation"), ("test", "test")):
        folder = tmp_path / part / "annotation"
        folder.mkdir(parents=True)
        (folder / f"Diving_{part}.txt").write_text(f"video_{name}_0000051  0.5 1.5\n\n")
        (folder / f"Ambiguous_{part}.txt").write_text(f"video_{name}_0000051  2.5 3.5\n")
        (folder / "detclasslist.txt").write_text("7 Diving\n")
    dataset = read_format("thumos14", Inputs(expanded([tmp_path])))
    assert dataset.video_ids("validation") == ["video_validation_0000051"]
    assert dataset.video_ids("test") == ["video_test_0000051"]
    assert sorted(dataset.rows("test")["label"]) == ["Ambiguous", "Diving"]


def test_two_files_of_many_videos_are_training_and_validation(tmp_path):
    paths = []
    for name in ("a", "b"):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_bytes(as_json({name: annotation_files.MMACTION2["v06"]}))
    dataset = read_format("mmaction2", Inputs(paths))
    assert (dataset.video_ids("training"), dataset.video_ids("validation")) == (["a"], ["b"])
    info = tmp_path / "video_info.csv"
    info.write_text("video,numFrame,subset\na,3,validation\nb,3,training\n")
    dataset = read_format("mmaction2", Inputs(paths, video_info=info))
    assert (dataset.video_ids("training"), dataset.video_ids("validation")) == (["b"], ["a"])
    info.write_text("video,subset\na,validation\n")
    with pytest.raises(UserError, match="video b"):
        read_format("mmaction2", Inputs(paths, video_info=info))


def test_classes_by_name_code_and_number(tmp_path):
    sample = SAMPLES["charades"]
    path, classes = written(tmp_path, sample), tmp_path / "classes.txt"
    classes.write_text("c092 Throwing\nc147 Cooking\n")
    dataset = read(path, sample, classes=[classes])
    assert dataset.heads == (("c092 Throwing", "c147 Cooking"),)
    assert dataset.annotations["label"].tolist() == ["c092 Throwing", "c147 Cooking"]
    classes.write_text("c092 Throwing\n")
    with pytest.raises(UserError, match="c147"):
        read(path, sample, classes=[classes])
    sample = SAMPLES["multithumos"]
    classes.write_text("a\nb\nc\nd\n")
    assert rows_of(read(written(tmp_path, sample), sample, classes=[classes]))[0][3] == "d"


def test_what_is_left_out_is_counted(tmp_path):
    said = {
        "label_studio": ("cancelled", "choices", "nobody annotated"),
        "label_studio sound": ("points in time",),
        "via": ("points in time",),
        "boris": ("point events",),
        "audacity": ("point labels",),
        "ego4d": ("not primary",),
    }
    for name, words in said.items():
        notes = " ".join(read(written(tmp_path, SAMPLES[name]), SAMPLES[name]).notes)
        assert all(word in notes for word in words), notes


def test_a_task_that_was_submitted_empty_is_a_video_and_one_that_nobody_did_is_none(tmp_path):
    def task(name, *annotations):
        return {"data": {"video": f"/data/upload/1/{name}.mp4"}, "annotations": list(annotations)}

    region = {
        "type": "timelinelabels",
        "value": {"ranges": [{"start": 1, "end": 9}], "timelinelabels": ["up"]},
    }
    tasks = [
        task("some", {"result": [region]}),
        task("empty", {"result": []}),
        task("cancelled", {"was_cancelled": True, "result": [region]}),
        task("new"),
    ]
    path = tmp_path / "export.json"
    path.write_bytes(as_json(tasks))
    dataset = read_format("label_studio", Inputs([path], fps=10.0))
    assert sorted(dataset.videos["video"]) == ["empty", "some"]
    assert any("nobody annotated" in note and count == 2 for note, count in dataset.notes.items())


def test_videos_of_one_name_are_not_joined(tmp_path):
    value = json.loads(as_json(annotation_files.COCO))
    value["videos"].append({"id": 2, "file_name": "other/v06.mp4"})
    path = tmp_path / "a.json"
    path.write_bytes(as_json(value))
    with pytest.raises(UserError, match=r"other/v06\.mp4"):
        read_format("coco_temporal", Inputs([path]))


def test_tiers_that_refer_to_others_take_their_times(tmp_path):
    tier = (
        b'<TIER TIER_ID="hand" PARENT_REF="action"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a2" '
        b'ANNOTATION_REF="a1"><ANNOTATION_VALUE>left hand</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>'
        b"</TIER></ANNOTATION_DOCUMENT>"
    )
    path = tmp_path / "a.eaf"
    path.write_bytes(annotation_files.EAF.replace(b"</ANNOTATION_DOCUMENT>", tier))
    dataset = read_format("elan", Inputs([path]))
    assert rows_of(dataset) == [("v06", 1.5, 3.5, "right"), ("v06", 1.5, 3.5, "left hand")]
    assert any("tiers" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (annotation_files.BORIS_EVENTS.replace(b"STOP", b"START"), "starts again"),
        (annotation_files.BORIS_EVENTS.rsplit(b"\n", 2)[0] + b"\n", "never stops"),
        (annotation_files.BORIS_EVENTS.replace(b"v06.mp4", b"v06.mp4;v07.mp4"), "2 media files"),
        (annotation_files.BORIS.replace(b",3.5,", b",0.5,"), "before its start"),
        (annotation_files.BORIS.replace(b"1.5,3.5", b"NA,3.5"), "line 2"),
    ],
)
def test_events_that_are_no_segments(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_bytes(text)
    with pytest.raises(UserError, match=said):
        read_format("boris", Inputs([path]))


@pytest.mark.parametrize("form", ["activitynet", "thumos14", "mmaction2"])
def test_a_number_of_frames_by_the_duration_is_a_rate(tmp_path, form):
    length, count = (
        ("duration_second", "duration_frame") if form == "mmaction2" else ("duration", "frame")
    )
    facts = [
        ({length: 20.0, count: 600}, 30.0),
        ({length: 20.0, count: 600, "fps": 25}, 25.0),
        ({length: 20.0, count: 40}, math.nan),  # 2 a second: no video's rate
        ({length: 20.0, count: "many"}, math.nan),
        ({length: 20.0}, math.nan),
    ]
    entry = {"subset": "training", "annotations": [{"segment": [1.0, 2.0], "label": "x"}]}
    videos = {
        f"video_test_{number:07d}": {**entry, **told} for number, (told, _) in enumerate(facts)
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(videos if form == "mmaction2" else {"database": videos}))
    dataset = read_format(form, Inputs([path]))
    np.testing.assert_array_equal(dataset.videos["fps"], [rate for _, rate in facts])
    assert [n for line, n in dataset.notes.items() if "number of frames" in line] == [1]
