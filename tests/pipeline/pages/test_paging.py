"""The videos of a report: every row is there, in the page or in a file beside it, and nothing twice."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from checks.made_up import made_up_report
from pipeline.errors import UserError
from pipeline.pages import paging
from pipeline.pages.paging import pack, video_precision
from pipeline.pages.report import FOLDER, PAGE, write_report_page


def rows_of(table, video):
    return table[table["video"] == video]


def packed(report, words=None):
    labels = sorted({*report.videos.truth["label"], *report.videos.detections["label"]})
    places = {label: place for place, label in enumerate(labels)}
    return pack(report.videos, places, words or report.found.words, 0.4), labels


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return made_up_report([f"v{k}" for k in range(6)], tmp_path_factory.mktemp("page"), rows=20)


def test_what_is_packed_is_what_was_found(report):
    one, labels = packed(report)
    parts = json.loads(one.inside)
    assert len(parts) == len(report.videos.ids)
    for video, (seconds, found, truth, proposed) in zip(report.videos.ids, parts, strict=True):
        rows = report.videos.detections.pipe(rows_of, video).sort_values("score", ascending=False)
        assert seconds == 60
        assert found[0] == [round(1000 * start) for start in rows["start"]]
        ends = [start + length for start, length in zip(found[0], found[1], strict=True)]
        assert ends == pytest.approx([1000 * end for end in rows["end"]], abs=1)
        assert found[2] == pytest.approx(list(rows["score"]), rel=1e-3)
        assert [labels[place] for place in found[3]] == list(rows["label"])
        assert [report.found.words[word] for word in found[4]] == list(rows["word"])
        true = report.videos.truth.pipe(rows_of, video)
        assert [labels[place] for place in truth[2]] == list(true["label"])
        assert [by < 0 for by in truth[3]] == list(true["found_by"].isna())
        assert len(proposed[0]) == min(100, len(report.videos.proposals.pipe(rows_of, video)))


def test_many_videos_go_into_files_that_hold_each_once(report, tmp_path, monkeypatch):
    inside, _ = packed(report)
    monkeypatch.setattr(paging, "MOST_EMBEDDED", 100)
    monkeypatch.setattr(paging, "FILE_BYTES", 5000)
    write_report_page(report, tmp_path)
    files = sorted((tmp_path / FOLDER).iterdir())
    assert 1 < len(files) <= len(report.videos.ids)
    held = {}
    for path in files:
        text = path.read_text()
        assert text.isascii() and "<" not in text
        name, first, parts = re.fullmatch(r'takeVideos\("([^"]*)",(\d+),(.*)\);\n', text).groups()
        assert name == path.name
        for place, part in enumerate(json.loads(parts)):
            assert held.setdefault(int(first) + place, part) is part
    assert [held[number] for number in range(len(held))] == json.loads(inside.inside)
    assert "strict-dynamic" in (tmp_path / PAGE).read_text()
    monkeypatch.undo()  # and back in the page: nothing of before is left
    write_report_page(report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [PAGE]
    assert "strict-dynamic" not in (tmp_path / PAGE).read_text()


def test_files_of_others_in_the_folder_are_left(report, tmp_path):
    (tmp_path / FOLDER).mkdir()
    for name in ("mine.js", "2026-mine.js"):
        (tmp_path / FOLDER / name).write_text("mine")
    write_report_page(report, tmp_path)
    write_report_page(report, tmp_path)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == [
        "2026-mine.js",
        "mine.js",
    ]


def test_a_page_of_someone_else_is_not_written_over(report, tmp_path):
    (tmp_path / PAGE).write_text("<h1>mine</h1>")
    with pytest.raises(UserError, match="is not a report"):
        write_report_page(report, tmp_path)
    assert (tmp_path / PAGE).read_text() == "<h1>mine</h1>"


def test_five_hundred_videos_are_one_page_under_five_megabytes(tmp_path):
    report = made_up_report(
        [f"video_{k:05d}" for k in range(500)], tmp_path, rows=190, classes=tuple(f"class {k}" for k in range(200))
    )  # fmt: skip
    assert len(report.videos.detections) > 95_000
    page = write_report_page(report, tmp_path)
    assert page.stat().st_size < 5_000_000 and [path.name for path in tmp_path.iterdir()] == [PAGE]


def table(rows):
    return pd.DataFrame(rows, columns=["video", "score"])


def test_precision_of_a_video_is_that_of_all_its_classes_together():
    found = table([("a", 0.9), ("b", 0.5), ("a", 0.8), ("a", 0.7), ("c", 0.1), ("a", 0.6)])
    right = np.array([True, False, False, True, True, False])
    truth = pd.DataFrame({"video": ["a", "a", "a", "b", "d"]})
    precision = video_precision(found, truth, right)
    # a: right at ranks 1 and 3 of three truths; c has no truth
    assert precision == pytest.approx({"a": (1 + 2 / 3) / 3, "b": 0.0, "d": 0.0})


def test_a_video_that_is_cut_keeps_its_best_rows(report, monkeypatch):
    monkeypatch.setattr(paging, "MOST_ROWS", 5)
    one, _ = packed(report)
    assert one.cut == len(report.videos.ids)
    for video, part in zip(report.videos.ids, json.loads(one.inside), strict=True):
        best = report.videos.detections.pipe(rows_of, video)["score"].nlargest(5)
        assert part[1][2] == pytest.approx(list(best), rel=1e-3)
