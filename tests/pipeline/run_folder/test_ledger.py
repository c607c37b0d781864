"""What is recorded by video: the last line counts, and a damaged line is none."""

from __future__ import annotations

import os

import pytest

from pipeline.errors import UserError
from pipeline.run_folder.identity import FileRecord, record_of
from pipeline.run_folder.ledger import LEDGER, Ledger, Made, intact


def made(video, content="c", **more):
    return Made(
        video=video, by="b", of="o", file=FileRecord(1, 2, "s"), content=content, **more
    )  # fmt: skip


def test_what_is_noted_is_read_back_and_the_last_line_counts(tmp_path):
    ledger = Ledger(tmp_path / "stage")
    for line in (made("a"), made("b", notes={"k": "v"}), made("a", "d")):
        ledger.note(line)
    assert Ledger(tmp_path / "stage").lines == {
        "a": made("a", "d"),
        "b": made("b", notes={"k": "v"}),
    }
    ledger.write()
    text = (tmp_path / "stage" / LEDGER).read_text()
    assert len(text.splitlines()) == 2
    assert Ledger(tmp_path / "stage").lines == ledger.lines


@pytest.mark.parametrize(
    "garbage", ["", "{", "null", "[1]", '{"video": "a"}', '{"video": "a", "by": 3}', "\0\ufffd"]
)
def test_a_damaged_line_is_none_and_harms_no_other(tmp_path, garbage):
    ledger = Ledger(tmp_path)
    ledger.note(made("a"))
    with (tmp_path / LEDGER).open("a") as stream:
        stream.write(garbage)  # without the end of its line, as a kill leaves it
    ledger.note(made("b"))
    assert Ledger(tmp_path).lines == {"a": made("a"), "b": made("b")}


def test_a_cut_file_keeps_what_is_whole(tmp_path):
    ledger = Ledger(tmp_path)
    for video in "abc":
        ledger.note(made(video))
    path = tmp_path / LEDGER
    path.write_bytes(path.read_bytes()[:-20])
    assert Ledger(tmp_path).lines.keys() == {"a", "b"}


@pytest.mark.parametrize("video", ["\u2028x", "a\\b", "\x1b[31m", "x" * 200, "日本"])
def test_every_name_is_read_back(tmp_path, video):
    Ledger(tmp_path).note(made(video))
    assert Ledger(tmp_path).lines.keys() == {video}


def test_what_is_forgotten_is_gone(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.note(made("a"))
    ledger.forget("a")
    ledger.forget("b")
    assert Ledger(tmp_path).lines == {}


def test_without_a_file_nothing_is_recorded_and_one_that_cannot_be_read_is_named(tmp_path):
    assert Ledger(tmp_path / "none").lines == {}
    (tmp_path / LEDGER).mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        Ledger(tmp_path).get("a")


def test_an_output_is_known_by_size_and_time_or_by_its_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"made")
    line = Made(video="a", by="b", of="o", file=record_of(path), content="c")
    assert intact(path, line, verify=True)
    path.write_bytes(b"mode")
    os.utime(path, ns=(line.file.mtime_ns, line.file.mtime_ns))
    assert intact(path, line) and not intact(path, line, verify=True)
    os.utime(path, ns=(1, 1))
    assert not intact(path, line)
    path.write_bytes(b"made")
    assert intact(path, line)
