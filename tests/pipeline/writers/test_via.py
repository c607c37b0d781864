"""VIA 3: the project's form as its documentation has it, what VIA looks up when it opens one, and the way back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest
from helpers.hand_made import HOSTILE, ROWS, converted, epic, expected, found, many

from pipeline.data.annotations import read_annotations
from pipeline.errors import UserError
from pipeline.tools.convert import convert
from pipeline.writers.via import write_via

TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def by_id(entry: dict[str, object], pattern: str = "^[0-9]+$") -> dict[str, object]:
    return {"type": "object", "patternProperties": {pattern: entry}, "additionalProperties": False}


def of(**properties: object) -> dict[str, object]:
    return {"type": "object", "required": list(properties), "properties": properties}


PROJECT = of(
    project=of(
        pid=TEXT,
        rev=TEXT,
        rev_timestamp=TEXT,
        pname=TEXT,
        creator=TEXT,
        created=NUMBER,
        data_format_version={"const": "3.1.1"},
        vid_list={"type": "array", "items": TEXT, "uniqueItems": True},
    ),
    config=of(
        file=of(loc_prefix={"type": "object", "required": ["1", "2", "3", "4"]}),
        ui=of(file_content_align=TEXT),
    ),
    attribute=by_id(
        of(
            aname=TEXT,
            anchor_id={"const": "FILE1_Z2_XY0"},
            type={"const": 4},
            desc=TEXT,
            options=by_id({"type": "string", "minLength": 1}),
            default_option_id=TEXT,
        )
    ),
    file=by_id(of(fid=TEXT, fname=TEXT, type={"const": 4}, loc={"enum": [1, 2, 3, 4]}, src=TEXT)),
    view=by_id(of(fid_list={"type": "array", "items": TEXT, "minItems": 1})),
    metadata=by_id(
        of(
            vid=TEXT,
            flg=NUMBER,
            z={"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 2},
            xy={"type": "array", "maxItems": 0},
            av=by_id(TEXT),
        ),
        r"^[0-9]+_[A-Za-z0-9_-]{8}$",
    ),
)  # fmt: skip


def written(folder: Path, *predictions, **more) -> dict:
    """A project, with every reference in it followed."""
    write_via(predictions, folder / "own.via.json", **more)
    project = json.loads((folder / "own.via.json").read_text())
    jsonschema.validate(project, PROJECT)
    assert project["project"]["vid_list"] == list(project["view"])
    for view in project["view"].values():
        assert all(name in project["file"] for name in view["fid_list"])
    for entry in project["metadata"].values():
        assert entry["vid"] in project["view"] and entry["z"][0] < entry["z"][1]
        for name, option in entry["av"].items():
            assert option in project["attribute"][name]["options"]
    return project


@pytest.mark.parametrize(
    "predictions",
    [
        [found()],
        [many(300)],
        [epic()],
        [found([])],
        [found(), found(ROWS[:1], source=Path("v07.webm"))],
    ],
    ids=["few", "many", "epic", "empty", "two"],
)
def test_form_and_references(tmp_path, predictions):
    project = written(tmp_path, *predictions)
    assert len(project["metadata"]) == sum(len(p.detections) for p in predictions)


def test_a_row_for_each_label_those_detected_first(tmp_path):
    project = written(tmp_path, found(), classes=["left", "right"])
    assert project["attribute"]["1"]["options"] == {
        "1": "right", "2": "up", "3": "down", "4": "left",
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_what_convert_gives_back_is_what_was_found_to_the_millisecond(tmp_path, ending):
    predictions = [found(), found(ROWS[:2], source=Path("a b%20c#d.mp4"))]
    written(tmp_path, *predictions)
    back = converted(tmp_path, tmp_path / "own.via.json", ending=ending)
    assert back.to_numpy().tolist() == expected(*predictions).to_numpy().tolist()


def test_hostile_labels_and_ids_come_back_as_they_were(tmp_path):
    rows = [(float(n), n + 0.5, label, 0.5) for n, label in enumerate(HOSTILE)]
    source = Path("in & out/<i>'\"&.mp4")
    written(tmp_path, found(rows, source=source, video="CLASS/ID", duration=20.0))
    back = converted(tmp_path, tmp_path / "own.via.json")
    assert back["label"].tolist() == list(HOSTILE) and set(back["video"]) == {"<i>'\"&"}


def test_labels_people_add_in_via_are_labels_with_commas_too(tmp_path):
    project = written(tmp_path, found())
    first, second = list(project["metadata"].values())[:2]
    first["av"]["1"], second["av"]["1"] = "pour, slowly", "new"
    (tmp_path / "own.via.json").write_text(json.dumps(project))
    labels = converted(tmp_path, tmp_path / "own.via.json")["label"]
    assert sorted(labels) == ["down", "new", "pour, slowly", "right"]


def test_where_the_video_is(tmp_path):
    source = tmp_path / "videos" / "a b#?%.mp4"
    write_via([found(source=source)], tmp_path / "predictions" / "videos" / "own.via.json")
    text = (tmp_path / "predictions" / "videos" / "own.via.json").read_text()
    file = json.loads(text)["file"]["1"]
    assert file["loc"] == 3 and unquote(file["src"]) == "../../videos/a b#?%.mp4"
    assert not re.search("[ #?]", file["src"]) and str(tmp_path) not in text
    file = written(tmp_path, found(source=source), media="https://server/in/")["file"]["1"]
    assert file["loc"] == 2 and file["src"] == "https://server/in/a%20b%23%3F%25.mp4"


def test_nothing_found_says_so_on_the_way_back(tmp_path):
    written(tmp_path, found([]))
    with pytest.raises(UserError, match="no segment in it"):
        read_annotations([tmp_path / "own.via.json"])
    lines = convert([tmp_path / "own.via.json"], tmp_path / "none.csv")
    assert any("nothing happens in them" in line for line in lines)
    heading, row = (tmp_path / "none.csv").read_text().splitlines()
    assert heading == "video,start,end,label" and row.endswith(",,,") and len(row) > 3
    # beside the table of another video it says what a table can say: nothing happens here
    (tmp_path / "all.csv").write_text(f"{heading}\nother,1,2,x\n{row}\n")
    dataset = read_annotations([tmp_path / "all.csv"])
    assert set(dataset.videos["video"]) == {"other", row.removesuffix(",,,")}
    assert dataset.annotations["video"].tolist() == ["other"]


def test_names_and_folders_of_frames(tmp_path, capsys):
    (tmp_path / "v06").mkdir()
    written(tmp_path, epic(source=tmp_path / "v06"))
    assert "which VIA does not play" in capsys.readouterr().err
    back = converted(tmp_path, tmp_path / "own.via.json")
    assert back["label"].tolist() == ["3,17 open drawer", "0,2 take pan: lid", "9,9"]
    assert set(back["video"]) == {"v06"}
