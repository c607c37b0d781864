"""The list of failed videos: what is written is read back, none is not a list, a damaged one is named."""

from __future__ import annotations

import json

import pytest

from pipeline.data.videos.failures import FAILURES, Failure, read_failures, write_failures
from pipeline.errors import UserError


def test_what_is_written_is_read_back(tmp_path):
    rows = {"b": Failure("no frames", 2, of="digest"), "a": Failure("cut off", 1, left_out=False)}
    write_failures(tmp_path, "extract", rows)
    assert read_failures(tmp_path) == rows
    listed = json.loads((tmp_path / FAILURES).read_text())
    assert [row["video"] for row in listed] == ["a", "b"]
    assert listed[1] == {
        "video": "b", "stage": "extract", "reason": "no frames", "attempts": 2, "left_out": True,
        "of": "digest",
    }  # fmt: skip


def test_without_failures_there_is_no_list(tmp_path):
    assert read_failures(tmp_path) == {}
    write_failures(tmp_path, "extract", {})
    assert not list(tmp_path.iterdir())
    write_failures(tmp_path, "extract", {"a": Failure("x", 1)})
    write_failures(tmp_path, "extract", {})
    assert not list(tmp_path.iterdir()) and read_failures(tmp_path) == {}


def test_a_list_of_before_there_were_attempts_is_read(tmp_path):
    (tmp_path / FAILURES).write_text(json.dumps([{"video": "a", "reason": "x"}]))
    assert read_failures(tmp_path) == {"a": Failure("x", 1, left_out=True)}


@pytest.mark.parametrize(
    "text",
    ["", "{", "3", "[3]", "[[]]", '[{"video": "a"}]', '[{"video": "a", "reason": "x", "attempts": "y"}]',
     "[" * 100_000],
)  # fmt: skip
def test_a_damaged_list_is_named(tmp_path, text):
    (tmp_path / FAILURES).write_text(text)
    with pytest.raises(UserError, match=r"failures\.json: damaged .*; delete it"):
        read_failures(tmp_path)


def test_a_list_that_cannot_be_read_is_not_said_to_be_damaged(tmp_path):
    (tmp_path / FAILURES).mkdir()
    with pytest.raises(UserError, match=r"failures\.json: cannot be read \(.*\)"):
        read_failures(tmp_path)
