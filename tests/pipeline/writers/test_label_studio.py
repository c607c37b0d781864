"""Label Studio: tasks and configuration as its documentation has them, and the way back through a person."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from helpers.hand_made import HOSTILE, ROWS, converted, epic, expected, found, many
from helpers.numbered_videos import encode

from pipeline.errors import UserError
from pipeline.writers.label_studio import write_label_studio, write_label_studio_config
from pipeline.writers.labels import choices

FRAME = {"type": "integer", "minimum": 1}
REGION = {
    "type": "object",
    "required": ["id", "from_name", "to_name", "type", "value"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "from_name": {"const": "label"},
        "to_name": {"const": "video"},
        "type": {"const": "timelinelabels"},
        "score": {"type": "number"},
        "value": {
            "type": "object",
            "required": ["ranges", "timelinelabels"],
            "properties": {
                "ranges": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["start", "end"],
                        "properties": {"start": FRAME, "end": FRAME},
                    },
                },
                "timelinelabels": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
        },
    },
}
RESULTS = {"type": "array", "items": {
    "type": "object", "required": ["result"],
    "properties": {"result": {"type": "array", "items": REGION}, "score": {"type": "number"},
                   "model_version": {"type": "string"}},
}}  # fmt: skip
TASKS = {"type": "array", "items": {
    "type": "object", "required": ["data"],
    "properties": {
        "data": {"type": "object", "required": ["video", "fps"]},
        "annotations": RESULTS, "predictions": RESULTS,
    },
}}  # fmt: skip


def written(folder: Path, *predictions, **more) -> list:
    """Tasks whose names and labels are those of the configuration written beside them."""
    given = {"rates": {prediction.video: 25.0 for prediction in predictions}} | more
    write_label_studio(predictions, folder / "own.json", **given)
    write_label_studio_config(choices(predictions), folder / "own.xml")
    tasks = json.loads((folder / "own.json").read_text())
    jsonschema.validate(tasks, TASKS)
    root = ET.parse(folder / "own.xml").getroot()
    control, video = root.find("TimelineLabels"), root.find("Video")
    assert control.get("name") == "label" and control.get("toName") == video.get("name") == "video"
    assert video.get("value") == "$video" and video.get("frameRate") == "$fps"
    labels = [label.get("value") for label in control]
    assert len(labels) == len(set(labels))
    for task in tasks:
        for region in (r for p in task["predictions"] + task["annotations"] for r in p["result"]):
            assert set(region["value"]["timelinelabels"]) <= set(labels)
            assert region["value"]["ranges"][0]["start"] <= region["value"]["ranges"][0]["end"]
        ids = [region["id"] for p in task["predictions"] for region in p["result"]]
        assert len(ids) == len(set(ids))
    return tasks


def submitted(path: Path) -> None:
    """What Label Studio exports once a person has taken over and submitted every prediction."""
    tasks = json.loads(path.read_text())
    for number, task in enumerate(tasks, start=1):
        results = [{"origin": "prediction", **r} for p in task["predictions"] for r in p["result"]]
        task |= {"id": number, "predictions": [number]}
        task["annotations"] = [{"id": number, "was_cancelled": False, "result": results}]
    path.write_text(json.dumps(tasks))


@pytest.mark.parametrize(
    "predictions",
    [[found()], [many(300)], [epic()], [found(), found([], source=Path("videos/v07.mp4"))]],
    ids=["few", "many", "epic", "empty"],
)
@pytest.mark.parametrize("accepted", [False, True])
def test_form(tmp_path, predictions, accepted):
    tasks = written(tmp_path, *predictions, accepted=accepted)
    assert [len(task["annotations"]) for task in tasks] == [int(accepted)] * len(predictions)
    kind = "annotations" if accepted else "predictions"
    assert [len(task[kind][0]["result"]) for task in tasks] == [
        len(p.detections) for p in predictions
    ]


@pytest.mark.parametrize("rate", [25.0, 30000 / 1001, 15.0, 12.5, 240.0])
@pytest.mark.parametrize("ending", ["csv", "json"])
def test_what_convert_gives_back_is_what_was_found_to_half_a_frame(tmp_path, rate, ending):
    predictions = [found(), found(ROWS[:2], source=Path("videos/a b%20c#d+&.mp4"))]
    written(tmp_path, *predictions, rates={p.video: rate for p in predictions})
    submitted(tmp_path / "own.json")
    back, wanted = converted(tmp_path, tmp_path / "own.json", ending=ending), expected(*predictions)
    assert (
        back[["video", "label"]].to_numpy().tolist()
        == wanted[["video", "label"]].to_numpy().tolist()
    )
    assert abs(back[["start", "end"]] - wanted[["start", "end"]]).to_numpy().max() <= 0.5001 / rate


def test_frames_count_from_one_and_the_last_is_included(tmp_path):
    rows = [(0.0, 1.0, "a", 0.9), (1.0, 1.01, "b", 0.8), (8.99, 9.0, "c", 0.7)]
    (task,) = written(tmp_path, found(rows))
    ranges = [region["value"]["ranges"][0] for region in task["predictions"][0]["result"]]
    assert ranges == [{"start": 1, "end": 25}, {"start": 26, "end": 26}, {"start": 225, "end": 225}]


def test_what_nobody_has_looked_at_is_no_ground_truth_unless_asked(tmp_path):
    written(tmp_path, found())
    with pytest.raises(UserError, match="1 predictions, left out; 1 tasks that nobody annotated"):
        converted(tmp_path, tmp_path / "own.json")
    written(tmp_path, found(), accepted=True)
    assert len(converted(tmp_path, tmp_path / "own.json")) == len(ROWS)


def test_scores_model_and_rate_are_in_the_task(tmp_path):
    (task,) = written(tmp_path, found())
    assert task["data"]["fps"] == 25.0 and task["data"]["video_id"] == "v06"
    prediction = task["predictions"][0]
    assert prediction["model_version"] == "own"
    assert [region["score"] for region in prediction["result"]] == [0.9, 0.8, 0.3, 0.05]
    assert prediction["score"] == pytest.approx(0.5125)


def test_hostile_labels_and_ids_come_back_as_they_were(tmp_path):
    rows = [(float(n), n + 0.5, label, 0.5) for n, label in enumerate(HOSTILE)]
    source = Path("in & out/<i>'\"&.mp4")
    written(tmp_path, found(rows, source=source, video="CLASS/ID", duration=20.0))
    values = [label.get("value") for label in ET.parse(tmp_path / "own.xml").iter("Label")]
    assert values == list(HOSTILE)
    submitted(tmp_path / "own.json")
    back = converted(tmp_path, tmp_path / "own.json")
    assert back["label"].tolist() == list(HOSTILE) and set(back["video"]) == {"<i>'\"&"}
    write_label_studio_config(
        choices([], ["new\nline", "\x00", "\ud800", "new line"]), tmp_path / "b.xml"
    )
    values = [label.get("value") for label in ET.parse(tmp_path / "b.xml").iter("Label")]
    assert values == ["new line", "\\x00", "\\ud800"]


def test_the_root_that_label_studio_serves_from(tmp_path):
    sources = [tmp_path / "in" / "videos" / part for part in ("a/v06.mp4", "b/v 07.mp4")]
    predictions = [found(source=source) for source in sources]
    rates = {"v06": 25.0, "v 07": 25.0}
    root = write_label_studio(predictions, tmp_path / "out" / "own.json", rates=rates)
    assert root == tmp_path / "in"
    text = (tmp_path / "out" / "own.json").read_text()
    assert str(tmp_path) not in text
    for task, source in zip(json.loads(text), sources, strict=True):
        address = urlsplit(task["data"]["video"])
        assert address.path == "/data/local-files/"
        assert root / parse_qs(address.query)["d"][0] == source
    (task, _) = written(
        tmp_path, *predictions, address="https://server/", root=tmp_path / "in/videos"
    )
    assert task["data"]["video"] == "https://server/a/v06.mp4"
    with pytest.raises(UserError, match="is not in"):
        written(tmp_path, *predictions, root=tmp_path / "in" / "videos" / "a")


def test_many_labels_get_a_box_to_search_in_them(tmp_path):
    write_label_studio_config([f"class {n}" for n in range(200)], tmp_path / "own.xml")
    root = ET.parse(tmp_path / "own.xml").getroot()
    assert root.find("Filter").get("toName") == "label" and len(root.findall(".//Label")) == 200
    write_label_studio_config(["a", "b"], tmp_path / "own.xml")
    assert ET.parse(tmp_path / "own.xml").getroot().find("Filter") is None


def test_a_video_that_says_no_rate_and_a_folder_of_frames(tmp_path, capsys):
    (tmp_path / "v06").mkdir()
    predictions = [found(source=tmp_path / "v06"), found(source=tmp_path / "v07.mp4")]
    (tmp_path / "v07.mp4").write_bytes(b"no video")
    tasks = written(tmp_path, *predictions, rates=None)
    assert [task["data"]["fps"] for task in tasks] == [25.0, 25.0]
    assert "1 of its videos are folders of frames, which Label Studio" in capsys.readouterr().err
    submitted(tmp_path / "own.json")
    assert set(converted(tmp_path, tmp_path / "own.json")["video"]) == {"v06", "v07"}


def test_the_rate_is_the_files_own_and_no_time_depends_on_it(tmp_path):
    source = encode(tmp_path / "v06.mp4", range(0, 24 * 7500, 7500))
    (task,) = written(tmp_path, found([(0.5, 1.25, "a", 0.5)], source=source), rates=None)
    rate = task["data"]["fps"]
    assert rate == pytest.approx(12, rel=0.05)
    submitted(tmp_path / "own.json")
    times = converted(tmp_path, tmp_path / "own.json")[["start", "end"]].to_numpy()
    assert abs(times - [[0.5, 1.25]]).max() <= 0.5001 / rate
