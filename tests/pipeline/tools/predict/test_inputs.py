"""What predict is given: files, folders, patterns, lists; and what is not a video."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from feature_extraction.video.frame_folder import FrameFolder
from pipeline.errors import UserError
from pipeline.run_folder.identity import FileRecord
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.tools.predict.inputs import Frames, find_inputs


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/one.mp4", "a/two.MKV", "a/deep/one.mp4", "a/notes.md", "b/.hidden.mp4",
                 "b/three.webm", "b/three.gif", "four", "out/videos/one.rendered.mp4"):  # fmt: skip
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" + name.encode())
    for number in range(3):
        path = Path(f"frames/clip/img_{number:03d}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def meant(*given: str, **more) -> dict[str, str]:
    return {name: str(path) for name, path in find_inputs(given, **more).items()}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["a/one.mp4"], {"one": "a/one.mp4"}),
        (["a/one.mp4", "a/two.MKV"], {"one": "a/one.mp4", "two": "a/two.MKV"}),
        (["four"], {"four": "four"}),  # whatever it is called: reading it will tell
        (["b"], {"three": "b/three.webm"}),
        (["a/*.mp4"], {"one": "a/one.mp4"}),
        (["a/one.mp4", "a/../a/one.mp4"], {"one": "a/one.mp4"}),
        (["a"], {"a/one": "a/one.mp4", "two": "a/two.MKV", "deep/one": "a/deep/one.mp4"}),
        (["a/**/*.mp4"], {"a/one": "a/one.mp4", "deep/one": "a/deep/one.mp4"}),
        (["?/th*"], {"three": "b/three.webm"}),
    ],
)  # fmt: skip
def test_paths_folders_and_patterns(place, given, wanted):
    if given == ["?/th*"]:
        Path("b/three.gif").unlink()
    assert meant(*given) == wanted


def test_a_list_of_paths(place):
    Path("list.txt").write_text("# mine\n\na/one.mp4\n  b/three.webm  \n")
    assert meant("list.txt") == {"one": "a/one.mp4", "three": "b/three.webm"}
    Path("a/list.txt").write_text("one.mp4\n")  # from the list's own folder
    assert meant("a/list.txt") == {"one": "a/one.mp4"}
    Path("bad.txt").write_text("a/one.mp4\nnothing.mp4\n")
    with pytest.raises(UserError, match=r"bad.txt: nothing.mp4: no such file"):
        meant("bad.txt")
    Path("empty.txt").write_text("\n#\n")
    with pytest.raises(UserError, match="names no video"):
        meant("empty.txt")
    Path("latin.txt").write_bytes(b"\xff\xfe\xfa\xfb\x00")
    with pytest.raises(UserError, match="is not a text file of paths"):
        meant("latin.txt")


def test_a_file_with_signs_of_a_pattern_in_its_name(place):
    Path("a[1].mp4").write_bytes(b"x")
    assert meant("a[1].mp4") == {"a[1]": "a[1].mp4"}


def test_folders_of_frames(place):
    found = find_inputs(["frames"], Frames(25.0))
    assert found == {"clip": FrameFolder(Path("frames/clip"), (25.0,), None, None)}
    assert find_inputs(["frames/clip"], Frames(25.0)) == found
    with pytest.raises(UserError, match=r"frames/clip: .* rate is not known; give --frame-fps"):
        find_inputs(["frames"])


def ledger(folder: str, *names: str) -> None:
    lines = Ledger(Path(folder))
    for name in names:
        lines.note(Made(video=name, by="", of="", file=FileRecord(0, 0, ""), content=""))


def test_what_was_written_is_no_input(place):
    assert meant("out") == {"one.rendered": "out/videos/one.rendered.mp4"}
    everything = meant(".", aside=Path("out"))
    assert sorted(everything) == ["a/one", "deep/one", "three", "two"]


def test_what_an_earlier_call_wrote_elsewhere_is_no_input(place):
    ledger("out/videos", "one.rendered.mp4", "one.clips", "one.clips/1.mp4")
    Path("out/videos/one.clips").mkdir()
    Path("out/videos/one.clips/1.mp4").write_bytes(b"x")
    for aside in (None, Path("out"), Path("new")):
        assert sorted(meant(".", aside=aside)) == ["a/one", "deep/one", "three", "two"]
        assert meant("**/one*.mp4", aside=aside).keys() == {"a/one", "deep/one"}
        with pytest.raises(UserError, match=r"out: holds no video but 2 that predict wrote"):
            meant("out", aside=aside)
        with pytest.raises(UserError, match="and 1 were written by predict"):
            meant("out/**/*.rendered.mp4", aside=aside)
    named = "out/videos/one.rendered.mp4"  # by itself it is meant
    assert meant(named, aside=Path("out")) == {"one.rendered": named}


@pytest.mark.parametrize("aside", [".", "a", "..", "b"])
def test_predictions_may_go_where_the_videos_lie(place, aside):
    """`--to .` leaves no video out: of what it wrote there the ledgers tell."""
    Path("videos").mkdir()
    for name in ("mine.mp4", "one.rendered.mp4"):
        Path("videos", name).write_bytes(b"x")
    ledger("videos", "one.rendered.mp4")
    wanted = {"a/one", "two", "deep/one"}
    assert meant("a", aside=Path(aside)).keys() == wanted
    assert meant("a/**/*", aside=Path(aside)).keys() == wanted
    assert meant("videos", aside=Path(aside)) == {"mine": "videos/mine.mp4"}
    assert "mine" in meant("*/*.mp4", aside=Path(aside))


def test_one_name_with_several_endings(place):
    Path("a/one.avi").write_bytes(b"x")
    assert meant("a/one.avi") == {"one": "a/one.avi"}
    assert meant("a/one.avi", "a/one.mp4") == {"one.avi": "a/one.avi", "one.mp4": "a/one.mp4"}
    assert meant("a").keys() == {"one.avi", "one.mp4", "two", "one"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("rtsp://camera/1", "a live source is not a video file"),
        ("https://example.org/v.mp4", "an address"),
        ("/dev/video0", "a camera or device"),
        ("0", "a camera or device"),
        ("-", "standard input is not a video file"),
        ("", "path is empty"),
        ("nothing.mp4", "nothing.mp4: no such file or folder"),
        ("*.mov", "nothing matches"),
        ("a/*.md", "none of the 1 matches is a video"),
        ("empty", "holds no video, and no numbered frames"),
        ("pipe.mp4", "is a named pipe"),
        ("link.mp4", "a link to gone.mp4, which does not exist"),
        ("back\\slash.mp4", "not a plain file name"),
    ],
)
def test_what_is_no_video(place, given, said):
    Path("empty").mkdir()
    os.mkfifo("pipe.mp4")
    Path("link.mp4").symlink_to("gone.mp4")
    Path("back\\slash.mp4").write_bytes(b"x")
    with pytest.raises(UserError) as caught:
        meant(given)
    assert said in caught.value.message and "\n" not in caught.value.message


def test_folders_that_lead_back_to_themselves(place):
    Path("a/loop").symlink_to("..", target_is_directory=True)
    assert len(meant("a")) == 3
