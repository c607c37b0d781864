"""The timeline page as a file: what it holds, how large it is, and where it says its video lies."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import numpy as np
import pytest
from helpers.sound_and_picture import write
from helpers.timelines import many, prediction, segments, with_truth

from pipeline.errors import UserError
from pipeline.pages.timeline import timeline_page, write_timeline
from pipeline.prediction.found import Curves

NAMES = [
    "plain.mp4",
    "two words.mp4",
    "100%#1?.mp4",
    "100%25.mp4",
    "javascript:alert(1).mp4",
    "http:host.mp4",
    'quote"<b>&amp;.mp4',
    "Küche 調理 🍳.mp4",
    "new\nline.mp4",
    "..mp4",
    "-\\.mp4",
]


def held(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def address(page):
    from html import unescape

    found = re.search(r'<video[^>]* src="([^"]*)"', page)
    return found and unescape(found[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("video", "page"),
    [("v/{}", "timeline.html"), ("{}", "predictions/a b/timeline.html"), ("{}", "timeline.html")],
)
def test_the_address_leads_from_the_page_to_the_video(tmp_path, name, video, page):
    source, file = tmp_path / video.format(name), tmp_path / page
    write_timeline(prediction(source), file)
    url = urljoin(file.as_uri(), address(file.read_text()))
    assert urlsplit(url).scheme == "file" and not urlsplit(url).netloc
    assert not urlsplit(url).query and not urlsplit(url).fragment
    assert unquote(urlsplit(url).path) == str(source)


def test_a_relative_page_and_video(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_timeline(prediction(Path("videos/v.mp4")), Path("out/timeline.html"))
    assert address(Path("out/timeline.html").read_text()) == "../videos/v.mp4"


def test_a_name_of_bytes_that_are_no_text(tmp_path):
    source = tmp_path / "caf\udce9.mp4"
    write_timeline(prediction(source, video="caf\udce9"), tmp_path / "t.html")
    assert address((tmp_path / "t.html").read_text()) == "caf%E9.mp4"


def test_an_absolute_path_names_no_host():
    assert address(timeline_page(prediction(Path("v")), video_path="//host/v.mp4")) == "/host/v.mp4"


def test_a_folder_of_frames_has_nothing_to_play(tmp_path):
    (tmp_path / "frames").mkdir()
    write_timeline(prediction(tmp_path / "frames"), tmp_path / "t.html")
    text = (tmp_path / "t.html").read_text()
    assert "<video" not in text and "folder of frames" in text


def test_a_page_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "t.html").mkdir()
    with pytest.raises(UserError, match="t.html"):
        write_timeline(prediction(tmp_path / "v.mp4"), tmp_path / "t.html")
    assert [path.name for path in tmp_path.iterdir()] == ["t.html"]


def test_a_long_video_makes_a_small_page_that_says_what_it_leaves_out():
    fields = many(20000, seconds=10800, classes=200, positions=100000)
    truth = fields["detections"][["start", "end", "label"]].head(3000)
    page = timeline_page(prediction(Path("v.mp4"), truth=truth, **fields), video_path="v.mp4")
    assert len(page.encode()) < 700_000
    assert "the best 2,000 of 20,000 detections" in page
    assert "the best 2,000 of 20,000 proposals" in page
    assert "the first 2,000 of 3,000 ground truths" in page
    data = held(page)
    assert data["detections"]["score"] == sorted(data["detections"]["score"], reverse=True)
    assert len(data["detections"]["start"]) == 2000 and data["total"] == 20000
    assert len(data["curves"]["start"]) <= 2 * 6000
    assert page == timeline_page(
        prediction(Path("v.mp4"), truth=truth, **fields), video_path="v.mp4"
    )


def test_a_page_that_holds_all_leaves_nothing_out():
    page = timeline_page(with_truth(Path("v.mp4")), video_path="v.mp4")
    assert "To stay small" not in page
    data = held(page)
    assert data["detections"]["verdict"] == [
        "right", "wrong label", "boundaries off", "right", "wrong label", "nothing there",
    ]  # fmt: skip
    assert data["step"] == 0.2 and data["span"] == 8.0


def test_the_scale_reaches_as_far_as_what_is_drawn():
    late = prediction(Path("v"), truth=segments([(1, 12.5, "pour")], "label"), duration=3.0)
    assert held(timeline_page(late, video_path=None))["span"] == 12.5


def test_nothing_found_is_a_page_too():
    none = prediction(
        Path("v"),
        detections=segments([], "label", "score"),
        proposals=segments([], "score"),
        curves=Curves(*[np.zeros(0)] * 3),
        duration=0.0,
    )
    data = held(timeline_page(none, video_path=None))
    assert data["span"] > 0 and data["classes"] == [] and data["threshold"] == 0


def test_people_s_names_are_shown_and_labels_kept():
    actions = segments([(0, 1, "3,17", 0.9), (1, 2, "0,0", 0.8)], "label", "score")
    named = prediction(Path("v"), detections=actions, names={"3,17": "open drawer"})
    classes = held(timeline_page(named, video_path=None))["classes"]
    assert [(one["label"], one["name"]) for one in classes] == [("3,17", "open drawer"), ("0,0", "0,0")]  # fmt: skip


def test_a_class_looks_the_same_on_pages_of_one_model():
    model = {"classes": ("cut", "pour", "stir", "wash")}
    one = held(timeline_page(prediction(Path("v"), **model), video_path=None))["classes"]
    few = segments([(0, 1, "stir", 0.9)], "label", "score")
    other = held(timeline_page(prediction(Path("v"), detections=few, **model), video_path=None))
    assert other["classes"][0] in one


def test_classes_found_most_surely_come_first_and_those_of_the_truth_alone_last():
    actions = segments([(0, 1, "b", 0.2), (1, 2, "c", 0.8), (2, 3, "b", 0.9), (3, 4, "A", 0.2)], "label", "score")  # fmt: skip
    truth = segments([(0, 1, "a only"), (1, 2, "c")], "label")
    page = timeline_page(prediction(Path("v"), detections=actions, truth=truth), video_path=None)
    assert [one["label"] for one in held(page)["classes"]] == ["b", "c", "A", "a only"]


@pytest.mark.parametrize(("late", "begins"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_page_knows_when_the_pictures_of_the_video_begin(late, begins, tmp_path):
    video = write(tmp_path / "v.mp4", "libx264", "aac", frames=9, seconds=0.5 + late, late=late)
    write_timeline(prediction(video), tmp_path / "t.html")
    assert held((tmp_path / "t.html").read_text())["begins"] == begins


def test_a_video_that_is_gone_or_broken_begins_at_once(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for name in ("gone.mp4", "broken.mp4"):
        write_timeline(prediction(tmp_path / name), tmp_path / "t.html")
        assert held((tmp_path / "t.html").read_text())["begins"] == 0.0
