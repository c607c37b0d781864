"""Files are looked at before they are read: what they are, and how much comes out of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
from helpers.special_files import KINDS, SAID, opened, put

from pipeline import plain_files
from pipeline.plain_files import LARGEST_TEXT, read_bytes, read_json, read_text, require_plain


def zipped(content: bytes, *names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("rows.csv",):
            archive.writestr(name, content)
    return stream.getvalue()


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": zipped}


@pytest.mark.parametrize("read", [require_plain, read_bytes, read_text, read_json])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused_before_it_is_opened(tmp_path, kind, read):
    path = put(tmp_path / "rows", kind)
    with opened(tmp_path) as names, pytest.raises(OSError) as caught:
        read(path)
    assert SAID[kind] in caught.value.strerror and not names


def test_a_link_to_a_file_is_that_file(tmp_path):
    (tmp_path / "rows").write_bytes(b"a\r\nb\rc\n")
    (tmp_path / "link").symlink_to(tmp_path / "rows")
    assert require_plain(tmp_path / "link") == 7
    assert read_text(tmp_path / "link") == "a\nb\nc\n"
    with pytest.raises(FileNotFoundError):
        require_plain(tmp_path / "nothing")


def test_a_sparse_file_is_not_read(tmp_path):
    with (tmp_path / "rows").open("wb") as file:
        file.truncate(4 << 40)
    with pytest.raises(OSError, match=r"4398\.05 GB, and at most 0?\.?536\.87 MB"):
        read_text(tmp_path / "rows")


@pytest.mark.parametrize("ending", sorted(PACK))
def test_what_is_packed_is_unpacked_as_far_as_text_packs(tmp_path, ending, monkeypatch):
    path = tmp_path / f"rows.csv{ending}"
    path.write_bytes(PACK[ending](b"a,b\n1,2\n"))
    assert read_bytes(path, packed=True) == b"a,b\n1,2\n"
    assert read_bytes(path) == path.read_bytes()
    path.write_bytes(PACK[ending](bytes(20 << 20)))
    with pytest.raises(OSError, match=r"unpacked more, and at most 16\.78 MB"):
        read_bytes(path, packed=True)
    monkeypatch.setattr(plain_files, "ANY_PACKED", LARGEST_TEXT)
    assert len(read_bytes(path, packed=True)) == 20 << 20
    with pytest.raises(OSError, match=r"at most 10\.00 MB"):
        read_bytes(path, 10_000_000, packed=True)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(OSError, match="does not unpack"):
        read_bytes(path, packed=True)


def test_an_archive_of_several_files_is_refused(tmp_path):
    (tmp_path / "rows.zip").write_bytes(zipped(b"a", "one", "two"))
    with pytest.raises(OSError, match="holds 2 files"):
        read_bytes(tmp_path / "rows.zip", packed=True)
