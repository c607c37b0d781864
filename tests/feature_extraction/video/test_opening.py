"""Which reader a video takes, what is refused before one is asked, and what probing tells."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.numbered_videos import VIDEOS, encode
from helpers.sound_and_picture import write

from feature_extraction.video.opening import first_shown, open_video, probe
from feature_extraction.video.reader import VideoError


def test_missing_file_folder_and_decoder_name(tmp_path, videos):
    with pytest.raises(VideoError, match="no such video file"):
        open_video(tmp_path / "missing.mp4")
    with pytest.raises(VideoError, match="folder"):
        open_video(tmp_path)
    with pytest.raises(VideoError, match="auto, pyav, decord"):
        open_video(videos["constant.mp4"][0], decoder="opencv")


def test_probe(videos):
    info = probe(videos["odd_size.mp4"][0])
    assert (info.width, info.height, info.decoder) == (97, 65, "pyav")
    assert info.fps == pytest.approx(30) and info.duration == pytest.approx(3.0)
    for name in VIDEOS:
        path, shown = videos[name]
        last = 2.0 if name.startswith("cut") else shown[-1]
        assert abs(probe(path, exact=True).duration - last) < 0.2
        assert abs(probe(path).duration - last) < 0.2


def test_when_the_first_frame_is_shown(videos, tmp_path):
    assert first_shown(videos["constant.mp4"][0]) == (0.0, 0.0)
    late = write(tmp_path / "late.mp4", "libx264", "aac", frames=9, seconds=2.0, late=1.5)
    assert first_shown(late) == pytest.approx((1.5, 0.0))
    assert first_shown(encode(tmp_path / "v.mkv", [0], shift=5 * 90000)) == pytest.approx(
        (5.0, 5.0)
    )
    with pytest.raises(VideoError, match="no such video file"):
        first_shown(tmp_path / "missing.mp4")


def test_no_decoder_is_loaded_before_a_video_is_opened():
    code = (
        "import sys, torchvision; before = set(sys.modules); "  # older ones load PyAV themselves
        "import feature_extraction.video.opening; "
        "print(sorted({'av', 'decord'} & (sys.modules.keys() - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
