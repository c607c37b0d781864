"""Files of anyone's: broken, hostile, or of a kind that is not read. One line each, and nothing run or expanded."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest
from helpers.annotation_files import as_json

from pipeline.data.annotations.dataset import Inputs
from pipeline.data.annotations.formats import FORMATS, format_of, read_format
from pipeline.data.annotations.parts.names import id_of_file, plain_id
from pipeline.errors import UserError


def refused(path: Path, kind: str | None = None) -> str:
    with pytest.raises(UserError) as caught:
        read_format(kind, Inputs([path])) if kind else format_of([path])
    assert "\n" not in caught.value.message and str(path) in caught.value.message
    return caught.value.message


def packed(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>
<annotations><track label="&b;"/></annotations>"""
OUTSIDE = (
    b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations>&a;</annotations>"""
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xlsx", packed("xl/workbook.xml"), "Excel"),
        ("a.csv", packed("xl/workbook.xml"), "Excel"),
        ("a.json", packed("a.json", "b.json"), "unpack"),
        ("a.pkl", pickle.dumps([1]), "pickle"),
        ("a.json", pickle.dumps([1]), "pickle"),
        ("a.parquet", b"PAR1" + bytes(20), "Parquet"),
        ("a.json", b'[{"video": "v", "start": 1, "end": 2, "label": "a"}]', "list of rows"),
        ("a.txt", b"v\t1.0\t2.0\t1.0\ta\tb\n", "first line must name the columns"),
        ("a.csv", b"v,1,2,a\n", "first line must name the columns"),
        ("a.npy", b"\x93NUMPY\x01\x00", "NumPy"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nhello\n", "subtitles"),
        ("a.vtt", b"WEBVTT\n", "subtitles"),
        ("a.boris", b"{}", "Aggregated"),
        ("a.csv", b"# Exported using VGG Image Annotator (http://x)\n", "save the project"),
        ("a.csv", b"# 1: Detection or Track-id,2: Video or Image Identifier\n", "DIVE"),
        ("a.txt", b'File type = "ooTextFile"\n', "Praat"),
        ("a.mp4", bytes(4) + b"ftypisom", "a video"),
        ("a.json", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("a.json", b"", "empty"),
        ("a.json", b"\0\0\0", "empty"),
        ("a.html", b"<!DOCTYPE html><html></html>", "document type"),
        ("a.html", b"<html><body/></html>", "web page"),
        ("a.xml", b"<annotation><object/></annotation>", "Pascal VOC"),
        ("a.xml", b"<other/>", "'other'"),
        ("a.xml", BOMB, "document type"),
        ("a.xml", OUTSIDE, "document type"),
        ("a.xml", b"<a>" * 100_000, "elements deep"),
        ("a.xml", b"<annotations><track>", "not valid XML"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.json", b'{"a": 1, "a": 2}', "twice"),
        ("a.json", b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        ("a.json", as_json({"images": [], "annotations": [], "categories": []}), "pictures"),
        ("a.json", as_json({"results": {}}), "tada-loc score"),
        ("a.json", as_json({"asset": {}, "tags": []}), "VoTT"),
        ("a.json", as_json({"tracks": {}, "version": 2, "groups": {}}), "DIVE"),
        ("a.json", as_json([{"data_row": {}}]), "Labelbox"),
        ("a.json", as_json({"something": 1}), "something"),
        ("a.json", b"[]", "JSON of an unknown kind"),
        ("a.csv", b"a,b,c\n1,2,3\n", "no column video, start, end, label; it has a, b, c"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    assert said in refused(path)


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_folders_links_and_what_is_not_there(tmp_path, kind):
    assert "cannot be read" in refused(tmp_path / "none", kind)
    assert "folder" in refused(tmp_path, kind)
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert "link" in refused(tmp_path / "link", kind)


@pytest.mark.parametrize(
    ("written", "video"),
    [
        ("v06", "v06"),
        ("v06.mp4", "v06"),
        ("V06.MP4", "V06"),
        ("clip.v2", "clip.v2"),
        ("in/v06.mp4", "v06"),
        (r"C:\in\v06.avi", "v06"),
        ("file:///in/v%2006.mp4", "v 06"),
        ("https://host/in/v06.mp4?sign=a%2Fb#t", "v06"),
        ("gs://bucket/in/v06.webm", "v06"),
        ("/data/upload/1/0123abcd-v06.mp4", "v06"),
        ("/data/upload/1/my-video.mp4", "my-video"),
        ("/data/local-files/?d=in/v06.mp4", "v06"),
        ("deadbeef-v06.mp4", "deadbeef-v06"),
        ("v06.wav", "v06"),
    ],
)
def test_ids_of_paths_and_addresses(written, video):
    assert plain_id(written) == video


def test_only_a_known_ending_is_taken_off_an_id():
    assert [id_of_file(name) for name in ("a.mp4", "a.v2", ".mp4", "a.txt", "x/a.mov", "x/a")] == [
        "a", "a.v2", ".mp4", "a.txt", "a", "x/a",
    ]  # fmt: skip
