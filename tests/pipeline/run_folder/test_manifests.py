"""A manifest: what is written is read back, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import UserError
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.manifests import (
    MANIFEST,
    Manifest,
    changed_outputs,
    read_manifest,
    write_manifest,
)


def manifest_of(**more):
    return Manifest.model_validate({"state": "complete", "fields": {"a": 1}, **more})


def test_what_is_written_is_read_back(tmp_path):
    (tmp_path / "x").write_text("made")
    written = manifest_of(
        form=2, outputs={"x": record_of(tmp_path / "x")}, weights="w", summary={"left_out": ["v"]}
    )
    write_manifest(tmp_path, written)
    assert read_manifest(tmp_path) == written and written.left_out == ["v"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"state": "partial"}', '{"state": 3, "fields": {}}',
        '{"state": "complete", "fields": [1]}', '{"state": "complete", "fields": {}, "outputs": {"a": 1}}',
        '{"state": "complete", "fields": {}, "summary": []}', '{"state": "complete", "fields": {}, "progress": 3}',
        '{"state": "complete", "fields": {}, "seconds": -1}', '{"state": "complete", "fields": {}, "updated": []}',
        "[" * 100_000, '{"state": "complete", "fields": {}, "progress": {"done": "x", "total": 1}}',
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json: damaged") as caught:
        read_manifest(tmp_path)
    assert caught.value.damaged == tmp_path / MANIFEST


def test_what_cannot_be_read_is_not_damaged(tmp_path):
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_manifest(tmp_path)
    assert caught.value.damaged is None


def test_where_there_is_no_folder_there_is_no_manifest(tmp_path):
    (tmp_path / "file").write_text("")
    assert read_manifest(tmp_path / "bmn") is None and read_manifest(tmp_path / "file") is None


@pytest.mark.parametrize("left_out", [None, 3, "v", {"a": 1}])
def test_a_list_of_videos_that_is_none_is_empty(left_out):
    assert manifest_of(summary={"left_out": left_out}).left_out == []


@pytest.mark.parametrize(
    ("times", "hours"),
    [
        (("2026-01-01T00:00:00+00:00", "2026-01-01T02:30:00+00:00"), 2.5),
        (("2026-01-01T00:00:00", "2026-01-01T02:30:00+00:00"), 0.0),
        (("yesterday", "today"), 0.0),
        (("", ""), 0.0),
    ],
)
def test_hours_of_an_older_program_are_those_between_its_lines(times, hours):
    assert manifest_of(started=times[0], updated=times[1]).hours == hours
    assert manifest_of(started=times[0], updated=times[1], form=2, seconds=7200).hours == 2


def test_outputs_are_compared_with_what_was_written(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text("made")
    manifest = manifest_of(outputs={name: record_of(tmp_path / name) for name in "abc"})
    names = ("a", "b", "c")
    assert changed_outputs(tmp_path, names, manifest) == []
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_text("mode")
    (tmp_path / "c").touch()
    assert changed_outputs(tmp_path, names, manifest) == [
        "a is gone",
        "b is not what was written",
    ]


def test_bytes_are_compared_where_asked_though_size_and_time_agree(tmp_path):
    import os

    path = tmp_path / "a"
    path.write_text("made")
    record = record_of(path)
    path.write_text("mode")
    os.utime(path, ns=(record.mtime_ns, record.mtime_ns))
    manifest = manifest_of(outputs={"a": record})
    assert changed_outputs(tmp_path, ("a",), manifest) == []
    assert changed_outputs(tmp_path, ("a",), manifest, verify=True) == ["a is not what was written"]


def test_what_it_holds_of_an_older_program_is_read(tmp_path):
    old = {
        "state": "complete",
        "fields": {"a": 1},
        "stage": "bmn",
        "fingerprint": "f",
        "summary": {},
    }
    (tmp_path / MANIFEST).write_text(json.dumps(old))
    manifest = read_manifest(tmp_path)
    assert manifest is not None and manifest.form == 1 and manifest.outputs == {}
