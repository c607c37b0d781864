"""Files that are not read: what each looks like, and the nearest way in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element

from pipeline.data.annotations.columns.headings import are_headings
from pipeline.errors import UserError

KNOWN = "docs/reference/annotations.md lists what is read"
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (
        b"PAR1",
        "a Parquet file; write it as CSV (pandas: read_parquet(...).to_csv(..., index=False))",
    ),
    (
        b"ARROW1",
        "an Arrow or Feather file; write it as CSV (pandas: read_feather(...).to_csv(...))",
    ),
    (b"SQLite format 3\0", "a database (SQLite); export its table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV"),
    (b"\x89HDF", "an HDF5 file; annotations are a table or JSON"),
    (b"\x93NUMPY", "a NumPy array; write its rows as CSV: video,start,end,label"),
    (b"MATLAB 5.0", "a MATLAB file; write its segments as CSV: video,start,end,label"),
    (b"%PDF", "a PDF; segments are read from a table or JSON"),
    (b"\x1aE\xdf\xa3", "a video; give the annotations, and the videos with --videos"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x1f\x8b", "packed (gzip); unpack it, or give it the ending .gz"),
    (b"BZh", "packed (bzip2); unpack it, or give it the ending .bz2"),
    (b"7z\xbc\xaf", "packed (7z); unpack it"),
    (b"Rar!", "packed (RAR); unpack it"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file: git lfs pull"),
)
_ENDINGS = {
    ".pkl": "a pickle, which could run code and is not opened; write it as JSON or CSV with the program "
    "that made it",
    ".pickle": "a pickle, which could run code and is not opened; write it as JSON or CSV with the "
    "program that made it",
    ".srt": "subtitles; import them into ELAN or Audacity and export labels, or write video,start,end,label",
    ".vtt": "subtitles; import them into ELAN or Audacity and export labels, or write video,start,end,label",
    ".textgrid": "a Praat TextGrid; import it into ELAN and export tab-delimited text",
    ".xlsx": "an Excel workbook; save it as CSV",
    ".xls": "an Excel workbook; save it as CSV",
    ".ods": "an OpenDocument spreadsheet; save it as CSV",
    ".boris": "a BORIS project; export its events: Observations, Export events, Aggregated events",
    ".jsonl": "JSON lines; join them to one list, or export JSON",
    ".yaml": "YAML; is this a configuration?",
    ".yml": "YAML; is this a configuration?",
}


# How text files of other programs begin, in small letters.
_TEXTS = {
    "# exported using vgg image annotator": "VIA's CSV; save the project instead, which is JSON",
    "#filename,file_size": "a table of VIA 2, for pictures; annotate segments with VIA 3",
    "# 1: detection or track-id": "DIVE's tracks; write each track's begin and end over the rate as CSV: "
    "video,start,end,label",
    "webvtt": _ENDINGS[".vtt"],
    'file type = "ootextfile"': _ENDINGS[".textgrid"],
    "%yaml": "YAML; is this a configuration?",
}


def refuse_binary(path: Path, content: bytes) -> None:
    """Refuse what is not text at all, or another program's own file. Raises UserError with the way in."""
    head = content[:600]
    known = next((said for mark, said in _BEGINNINGS if head.startswith(mark)), None)
    if known is None and head.startswith(b"PK\x03\x04"):
        known = _packed(content)
    if known is None and head[4:8] == b"ftyp":
        known = "a video; give the annotations, and the videos with --videos"
    if known is None and head[:1] == b"\x80" and head[1:2] <= b"\x06":
        known = _ENDINGS[".pkl"]
    begins = head.lstrip(b"\xef\xbb\xbf").lower().decode("latin-1")
    known = known or _ENDINGS.get(path.suffix.lower())
    known = known or next((said for text, said in _TEXTS.items() if begins.startswith(text)), None)
    if known is not None:
        raise UserError(f"{path}: not read: it is {known}")
    if not content.strip(b"\0 \t\r\n"):
        raise UserError(f"{path}: it is empty")


def refuse_xml(path: Path, root: Element) -> NoReturn:
    """Refuse XML of no known kind. Raises UserError."""
    tag = root.tag.rpartition("}")[2].lower()
    known = {
        "html": "a web page; was the download refused? fetch the file itself",
        "annotation": "Pascal VOC: boxes of a picture, without times",
        "corpus": "an audio annotation corpus; export tab-delimited text",
        "viper": "ViPER XML; convert it to CSV: video,start,end,label",
        "all_instances": "a Sportscode export; export CSV, or write video,start,end,label",
        "file": "a Sportscode export; write video,start,end,label",
        "recording": "Mangold or Observer XML; export a table of events",
        "project": "an editor's project; export a table of its markers",
    }.get(tag, f"XML with the root {root.tag[:40]!r}, which is not a known format")
    raise UserError(f"{path}: not read: it is {known}; {KNOWN}")


def refuse_json(path: Path, value: Any) -> NoReturn:
    """Refuse JSON of no known kind. Raises UserError that names the kind if it can be recognized."""
    keys = set(value) if isinstance(value, dict) else set()
    first = value[0] if isinstance(value, list) and value else None
    inner = set(first) if isinstance(first, dict) else set()
    if {"images", "annotations"} <= keys:
        said = (
            "COCO annotations of pictures, without times; give start and end: video,start,end,label"
        )
    elif {"results"} <= keys:
        said = "a result file (detections); it is scored by tada-loc score"
    elif {"assets"} <= keys or "asset" in keys or "visitedFrames" in keys or "taggedFrames" in keys:
        said = "VoTT's, which marks single frames; write the segments as CSV: video,start,end,label"
    elif "tracks" in keys and ({"groups", "version"} & keys):
        said = "DIVE's tracks; write each track's begin and end over the rate as CSV: video,start,end,label"
    elif "instances" in keys and "metadata" in keys:
        said = "SuperAnnotate's; write its segments as CSV: video,start,end,label"
    elif "data_row" in keys or "data_row" in inner:
        said = "Labelbox's; write its segments as CSV: video,start,end,label"
    elif "_via_img_metadata" in keys:
        said = "a project of VIA 2, for pictures; annotate segments with VIA 3"
    elif inner and are_headings(sorted(map(str, inner))):
        said = "a list of rows; write it as CSV (pandas: read_json(...).to_csv(..., index=False))"
    elif "nbformat" in keys:
        said = "a notebook"
    else:
        names = ", ".join(sorted(map(str, keys or inner))[:6])
        said = f"JSON of an unknown kind ({f'with {names[:120]}' if names else 'without names'})"
    raise UserError(f"{path}: not read: it is {said}; {KNOWN}")


def _packed(content: bytes) -> str:
    names = content[:4096] + content[-4096:]
    if b"xl/" in names:
        return "an Excel workbook; save it as CSV"
    if b"opendocument.spreadsheet" in names:
        return "an OpenDocument spreadsheet; save it as CSV"
    if b"data.pkl" in names:
        return "a file of PyTorch, which holds no annotations; write them as JSON or CSV"
    return "an archive (zip); unpack it and give the annotation file in it"
