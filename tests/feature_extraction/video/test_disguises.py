"""Playlists, pictures and text named as videos are refused, and open nothing else; real containers are read."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.numbered_videos import encode, even_ticks
from helpers.special_files import KINDS, SAID, opened, put
from PIL import Image

from feature_extraction.video.frame_folder import FrameFolder
from feature_extraction.video.opening import open_video
from feature_extraction.video.pyav_opening import CONTAINERS
from feature_extraction.video.reader import VideoError


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(stream, kind)
    return stream.getvalue()


PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)
IMF = (
    '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>urn:uuid:a</Id><EditRate>25 1</EditRate><Path>{}</Path></CompositionPlaylist>"
)
SMOOTH = '<SmoothStreamingMedia MajorVersion="2"><StreamIndex Url="{}"/></SmoothStreamingMedia>'
# What each names, `{}`, is put in by the test.
TEXTS = {
    "m3u8": PLAYLIST,
    "master m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n",
    "key m3u8": PLAYLIST.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXTINF'),
    "ffconcat": "ffconcat version 1.0\nfile {}\n",
    "ffconcat with marks": "ffconcat version 1.0\nfile '{}'\nduration 5\ninpoint 0\n",
    "mpd": DASH,
    "imf": IMF,
    "smooth": SMOOTH,
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=x:{}\n",
    "asx": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
    "pls": "[playlist]\nFile1={}\nNumberOfEntries=1\n",
    "rtsp": "[Reference]\nRef1={}\n",
    "avisynth": 'AVISource("{}")\n',
    "text": "words, not pictures, of {}\n" * 40,
    "ansi art": "\x1b[1;31mwords\x1b[0m {}\r\n" * 40,
    "srt": "1\n00:00:01,000 --> 00:00:02,000\n{}\n\n" * 5,
    "webvtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n{}\n",
    "ass": "[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,{}\n",
    "vobsub": "# VobSub index file, v7\nsize: 720x576\nid: en, index: 0\ntimestamp: 00:00:01:101, filepos: 0\n# {}\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{}"/></svg>',
    "xml": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "{}">]><a>&b;</a>',
    "ffmetadata": ";FFMETADATA1\ntitle={}\n",
}
PICTURES = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A folder with a good video, as a disguise could name it."""
    folder = tmp_path_factory.mktemp("named")
    encode(folder / "other.mp4", even_ticks(9))
    encode(folder / "other.ts", even_ticks(9))
    return folder


@pytest.mark.parametrize("decoder", ["auto", "decord"])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_a_text_that_names_a_video_is_refused_and_opens_no_other_file(
    named, kind, absolute, decoder
):
    path = named / "v.mp4"
    for other in ("other.mp4", "other.ts"):
        path.write_text(TEXTS[kind].replace("{}", str(named / other) if absolute else other))
        with opened(named) as names, pytest.raises(VideoError) as caught:
            open_video(path, decoder)
        assert str(caught.value).startswith(f"{path}: not a readable video")
        assert "\n" not in str(caught.value) and set(names) == {"v.mp4"}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_no_video(tmp_path, kind):
    path = tmp_path / "v.mp4"
    path.write_bytes(picture(kind))
    with pytest.raises(VideoError, match="not a readable video"):
        open_video(path)


def test_files_that_are_opened_are_seen(named):
    with opened(named) as names, open_video(named / "other.mp4"):
        pass
    assert set(names) == {"other.mp4"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decoder", ["auto", "decord"])
def test_what_is_no_plain_file_is_refused_before_it_is_opened(tmp_path, kind, decoder):
    path = put(tmp_path / "v.mp4", kind)
    with pytest.raises(VideoError) as caught:
        open_video(path, decoder)
    assert str(caught.value).startswith(f"{path}: is ") and SAID[kind] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_that_is_no_plain_file_is_refused(tmp_path, kind):
    for number in (1, 2):
        path = tmp_path / f"frame_{number:010d}.jpg"
        path.write_bytes(picture("JPEG"))
    put(path, kind)
    with (
        open_video(FrameFolder(tmp_path, (10.0,))) as reader,
        pytest.raises(VideoError, match=SAID[kind]) as caught,
    ):
        reader.clip([0.15])
    assert str(path) in str(caught.value)


# A format that FFmpeg writes, and codecs it can hold: the first that this build has is used.
WRITTEN = {
    "mp4": "libx264", "mov": "mjpeg", "3gp": "mpeg4", "3g2": "mpeg4", "ismv": "libx264", "ipod": "libx264",
    "f4v": "libx264", "matroska": "mpeg4", "webm": "libvpx", "avi": "mpeg4", "flv": "flv", "asf": "wmv2",
    "ogg": "libvpx", "nut": "mpeg4", "wtv": "mpeg2video", "mpegts": "mpeg2video", "mpeg": "mpeg2video",
    "vob": "mpeg2video", "svcd": "mpeg2video", "dvd": "mpeg2video", "mpeg1video": "mpeg1video",
    "mpeg2video": "mpeg2video", "mxf": "mpeg2video", "rm": "rv10", "swf": "flv", "gif": "gif",
    "apng": "apng", "ivf": "libvpx", "h264": "libx264", "hevc": "libx265", "h263": "h263", "h261": "h261",
    "m4v": "mpeg4", "mjpeg": "mjpeg", "mpjpeg": "mjpeg", "smjpeg": "mjpeg", "obu": "libsvtav1",
    "film_cpk": "cinepak", "yuv4mpegpipe": "wrapped_avframe", "avm2": "flv",
}  # fmt: skip
PIXELS = {"mjpeg": "yuvj420p", "gif": "rgb8", "apng": "rgb24", "cinepak": "rgb24"}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_containers_with_one_video_are_read_whatever_their_name(tmp_path, name):
    path, codec = tmp_path / "v.mp4", WRITTEN[name]
    _write(path, name, codec)
    with open_video(path, allow_partial=True) as reader:
        assert (reader.info.width, reader.info.height) == (352, 288)


def _write(path: Path, name: str, codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    with av.open(str(path), "w", format=name) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 352, 288, PIXELS.get(codec, "yuv420p")
        stream.options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        for number in range(6):
            shown = np.full((288, 352, 3), 20 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(
                format=stream.pix_fmt
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def test_the_list_names_nothing_that_opens_other_files():
    allowed = set(CONTAINERS.split(","))
    assert len(allowed) == len(CONTAINERS.split(","))
    assert not allowed & {
        "hls", "dash", "concat", "imf", "sdp", "rtsp", "rtp", "sap", "tty", "image2", "image2pipe", "lavfi",
        "vobsub", "webm_dash_manifest", "mlv", "avisynth", "vapoursynth", "libopenmpt", "dvdvideo", "ffmetadata",
    }  # fmt: skip
    assert not any(name.endswith("_pipe") for name in allowed)
