"""`tada-loc convert`: every form to a table and to ActivityNet's JSON, with nothing lost and nothing overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers.annotation_files import SAMPLES, TABLE, Sample

from pipeline.cli.commands import main
from pipeline.data.annotations.dataset import Inputs
from pipeline.data.annotations.formats import format_of, read_format


def convert(*words: object) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, words)])


def rows(path: Path, **inputs: object) -> list[tuple[object, ...]]:
    dataset = read_format(format_of([path]), Inputs([path], **inputs))
    columns = ["video", "start", "end", "label"]
    return sorted(tuple(row) for row in dataset.annotations[columns].itertuples(index=False))


def source(folder: Path, sample: Sample) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / sample.name).write_bytes(sample.content)
    return folder / sample.name


@pytest.mark.parametrize("ending", ["csv", "json"])
@pytest.mark.parametrize("name", SAMPLES)
def test_round_trip(tmp_path, name, ending):
    sample, target = SAMPLES[name], tmp_path / f"own.{ending}"
    path = source(tmp_path / "in", sample)
    rate = ["--fps", sample.fps] if sample.fps else []
    result = convert(path, "--to", target, *rate)
    assert result.exit_code == 0, result.output
    assert rows(target) == rows(path, fps=sample.fps)
    again = tmp_path / f"again.{ending}"
    assert convert(target, "--to", again).exit_code == 0
    assert again.read_bytes() == target.read_bytes()
    kind = format_of([target])
    assert kind == ("table" if ending == "csv" else kind) and kind in {
        "table",
        "activitynet",
        "thumos14",
    }
    dataset = read_format(kind, Inputs([target]))
    assert set(sample.empty) <= set(dataset.videos["video"])


def test_what_is_said(tmp_path):
    path = source(tmp_path, SAMPLES["label_studio"])
    output = convert(path, "--to", tmp_path / "own.csv", "--fps", 15).output
    assert "own.csv: 1 videos, 1 segments, 1 labels from Label Studio (1 file)" in output
    for words in (
        "1 annotations that were cancelled",
        "1 tasks that nobody annotated, left out",
        "no subsets",
    ):
        assert words in output
    assert (tmp_path / "own.csv").read_text().splitlines()[0] == "video,start,end,label"


def test_subsets(tmp_path):
    path, target = source(tmp_path, SAMPLES["audacity"]), tmp_path / "own.csv"
    result = convert(path, "--to", target, "--subset", "training")
    assert result.exit_code == 0 and "videos by subset: training 1" in result.output
    assert "no subsets are named" not in result.output
    assert target.read_text() == "video,start,end,label,subset\nv06,1.5,3.5,right,training\n"
    path = source(tmp_path / "in", SAMPLES["table"])
    result = convert(path, "--to", target, "--force", "--subset", "training")
    assert result.exit_code == 2 and "names subsets itself: training, validation" in result.output


def test_verbs_and_nouns(tmp_path):
    (tmp_path / "epic.csv").write_text(
        "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\nP01_01,00:00:01.5,00:00:03.5,1,0\n"
    )
    (tmp_path / "verbs.csv").write_text("id,key\n0,take\n1,open\n")
    (tmp_path / "nouns.csv").write_text("id,key\n0,door\n")
    classes = [
        word for name in ("verbs", "nouns") for word in ("--classes", tmp_path / f"{name}.csv")
    ]
    result = convert(tmp_path / "epic.csv", *classes, "--to", tmp_path / "own.csv")
    assert result.exit_code == 0, result.output
    assert rows(tmp_path / "own.csv") == [("P01_01", 1.5, 3.5, "open,door")]


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["in.csv", "--to", "own.txt"], "a .csv (a table) or a .json", 2),
        (["in.csv", "--to", "in.csv"], "exists", 1),
        (["in.csv", "--to", "in.csv", "--force"], "is also the input", 1),
        (["none.csv", "--to", "own.csv"], "none.csv: cannot be read", 1),
        (["in.csv", "--to", "own.csv", "--format", "excel"], "--format excel", 2),
        (["in.csv", "--to", "own.csv", "--format", "via"], "dataset.format: table", 1),
        (["in.csv", "--to", "own.csv", "--fps", "15"], "no frame numbers", 2),
        (["in.csv", "--to", "own.csv", "--fps", "0"], "--fps", 2),
        (["in.csv", "--to", "own.csv", "--videos", "none"], "no such folder", 2),
        (["in.csv", "--to", "own.csv", "--subset", " "], "--subset", 2),
        (["in.csv", "kinetics.csv", "--to", "own.csv"], "give files of one format", 1),
        (["kinetics.csv", "--to", "own.csv"], "no segments to convert", 1),
        (["cvat.xml", "--to", "own.csv"], "--fps RATE", 1),
        (["in.csv"], "--to", 2),
        (["--to", "own.csv"], "IN", 2),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, words, said, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_bytes(TABLE)
    (tmp_path / "kinetics.csv").write_text("label,youtube_id,time_start,time_end\nrun,a,1,11\n")
    (tmp_path / "cvat.xml").write_bytes(SAMPLES["cvat"].content)
    result = convert(*words)
    assert result.exit_code == code and said in result.output, result.output
    assert not (tmp_path / "own.csv").exists() and (tmp_path / "in.csv").read_bytes() == TABLE


def test_nothing_is_overwritten_unasked(tmp_path):
    path, target = source(tmp_path / "in", SAMPLES["via"]), tmp_path / "own.csv"
    target.write_text("mine")
    assert convert(path, "--to", target).exit_code == 1 and target.read_text() == "mine"
    assert convert(path, "--to", target, "--force").exit_code == 0
    assert target.read_text() == "video,start,end,label\nv06,1.5,3.5,right\n"


def test_segments_that_end_before_they_start_are_left_out_of_a_table(tmp_path):
    segments = [{"segment": [1, 2], "label": "a"}, {"segment": [5, 4], "label": "a"}]
    database = {"v": {"subset": "training", "annotations": segments}}
    path = tmp_path / "hacs.json"
    path.write_text(json.dumps({"database": database}))
    result = convert(path, "--to", tmp_path / "own.csv")
    assert "1 segments that end before they start, left out" in result.output
    assert rows(tmp_path / "own.csv") == [("v", 1.0, 2.0, "a")]
    assert convert(path, "--to", tmp_path / "own.json").exit_code == 0
    assert rows(tmp_path / "own.json") == rows(path) and len(rows(path)) == 2


def test_the_subset_of_a_file_that_does_not_say_it(tmp_path):
    path = tmp_path / "EPIC_100_train.csv"
    path.write_text(
        "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
        "P01_01,00:00:01.00,00:00:02.00,3,4\n"
    )
    assert convert(path, "--to", tmp_path / "own.csv", "--subset", "training").exit_code == 0
    dataset = read_format("table", Inputs([tmp_path / "own.csv"]))
    assert dataset.videos["subset"].tolist() == ["training"]
