"""What is not a video is named for what it is, with what to do about it."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest
from helpers.numbered_videos import encode, even_ticks
from PIL import Image

from feature_extraction.video.content.kinds import what_instead
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345678\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of an MP4, its index behind its pictures."""
    return encode(tmp_path_factory.mktemp("mp4") / "v.mp4", even_ticks(30)).read_bytes()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("v.mp4", b"1")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("v.mp4"), io.BytesIO())
    return stream.getvalue()


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "said", "fix"),
    [
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML><html><title>Sign in</title>", "web page (HTML)", "get it again"),
        (b"<html><body>404</body></html>", "web page (HTML)", "get it again"),
        (b"<!-- saved --><HTML><p>", "web page (HTML)", "get it again"),
        (LFS, "git-LFS pointer of 133 bytes that stands for a file of 12,345,678 bytes", "git lfs pull"),
        (b"/annex/objects/SHA256E-s10--ab.mp4\n", "git-annex pointer", "git annex get"),
        (b"#EXTM3U\nother.ts\n", "a playlist", "that it refers to"),
        (b'{"error": "gone"}', "text, not video", "get it again"),
        ("words".encode("utf-16"), "text, not video", "get it again"),
        (zipped(), "an archive (zip)", "unpack it"),
        (tarred(), "an archive (tar)", "unpack it"),
        (gzip.compress(b"1" * 999), "an archive (gzip)", "unpack it"),
        (png(), "a picture (PNG)", "folder of frames"),
        (b"ID3\3\0\0\0\0\0\0" + b"\xff\xfb\x90\0" * 400, "only sound (MP3)", "give the video"),
        (b"RIFF\x24\0\0\0WAVEfmt " + b"\0\1" * 40, "only sound (WAV)", "give the video"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document", "give the video"),
        (b"\0" * 9000, "zero bytes", "get it again"),
    ],
)  # fmt: skip
def test_each_kind_has_its_own_line(content, said, fix, tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError) as caught:
        open_video(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: not a readable video (") and "\n" not in line
    assert said in line and fix in line


def test_an_mp4_without_its_index_is_told_from_pages_and_pointers(whole, tmp_path):
    """As a recording leaves it whose camera lost its power, and a download that broke off."""
    path = tmp_path / "v.mp4"
    for end in (whole.index(b"moov") - 4, whole.index(b"mdat") + 1000):
        path.write_bytes(whole[:end])
        with pytest.raises(
            VideoError,
            match=r"no moov.*interrupted recording or download\); get it again, or repair",
        ) as caught:
            open_video(path)
        cut = end < whole.index(b"moov") - 4
        assert ("ends in the middle of its frames" in str(caught.value)) is cut


def test_pieces_without_the_first_one(tmp_path):
    path = encode(
        tmp_path / "v.mp4", even_ticks(30), container={"movflags": "frag_keyframe+empty_moov"}
    )
    content = path.read_bytes()
    path.write_bytes(content[content.index(b"moof") - 4 :])
    with pytest.raises(VideoError, match=r"pieces of an MP4 without the first one.*init\.mp4"):
        open_video(path)


@pytest.mark.parametrize("name", ["v.mkv", "v.webm"])
def test_a_head_alone_is_an_interrupted_download(name, tmp_path):
    codec = {"codec": "libvpx"} if name == "v.webm" else {}
    path = encode(tmp_path / name, even_ticks(30), **codec)
    path.write_bytes(path.read_bytes()[:250])
    with pytest.raises(VideoError, match=r"of which only 250 bytes exist"):
        open_video(path)


def test_of_other_bytes_the_decoders_reason_is_said(tmp_path):
    path, chance = tmp_path / "v.mp4", np.random.default_rng(0)
    for size in (1, 3, 9, 700, 5000):
        path.write_bytes(b"\x9c" + chance.bytes(size))
        assert what_instead(path, "reason") == ("reason", "get the file again or convert it")
    assert what_instead(tmp_path / "gone", "reason")[0] == "reason"


def test_a_link_to_nothing_is_named_as_such(tmp_path):
    path = tmp_path / "v.mp4"
    path.symlink_to(tmp_path / "gone.mp4")
    with pytest.raises(VideoError, match=r"is a link to .*gone\.mp4, which does not exist"):
        open_video(path)
