"""Videos that are elsewhere: found by name, known by content, read from the cache as if they lay here."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.annotations import Dataset
from pipeline.data.remote.cache import Cache
from pipeline.data.remote.stores import Facts
from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.videos.finding import find_files, find_videos, videos_there
from pipeline.data.videos.identity import identify
from pipeline.data.videos.lengths import look_at_ends
from pipeline.data.videos.probing import probe_all
from pipeline.demo.dataset import make_dataset
from pipeline.errors import UserError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    make_dataset(folder, train_videos=2, val_videos=1, seconds=4.0)
    return folder / "videos"


def settings(tmp_path, videos, **more):
    given = {"annotations": "a.csv", "videos": str(videos), "cache": str(tmp_path / "cache")}
    overrides = {f"dataset.{key}": value for key, value in (given | more).items()}
    return load_config(find_config("small"), overrides).dataset


def dataset(ids) -> Dataset:
    videos = pd.DataFrame({"video": ids, "subset": "training", "duration": np.nan, "fps": np.nan})
    return Dataset(pd.DataFrame(), videos, (("x",),))


def found(tmp_path, videos, ids, **more):
    return find_videos(settings(tmp_path, videos, **more), dataset(ids), ids)


def frames(source) -> np.ndarray:
    with open_video(source) as reader:
        return np.stack([frame.copy() for _, frame in reader.frames_at(k / 5 for k in range(99))])


IDS = ["training_000", "training_001", "validation_000"]


def test_one_is_known_and_read_as_the_file_it_is(drawn, memory, web, tmp_path):
    server, folder = web
    shutil.copytree(drawn, folder / "in" / "here")
    for path in drawn.iterdir():
        memory.pipe(f"/d/{path.name}", path.read_bytes())
    here, _ = found(tmp_path, drawn, IDS, cache=None)
    identities = identify(here, {})
    for place in (f"file://{drawn}", "memory://d", server.url, drawn):
        there, missing = found(tmp_path, place, [*IDS, "other"])
        assert missing == ["other"] and all(isinstance(v, RemoteVideo) for v in there.values())
        seen = identify(there, {})
        assert {v: s.digest for v, s in seen.items()} == {
            v: s.digest for v, s in identities.items()
        }
        server.asked.clear()
        assert identify(there, seen) == seen  # nothing is read again
        assert not any(method == "GET" for method, _ in server.asked)
        for video in IDS:
            np.testing.assert_array_equal(frames(there[video]), frames(here[video]))
    with open_video(there[IDS[0]]) as reader:
        assert reader.info.path == str(drawn / f"{IDS[0]}.mp4")


def test_another_content_is_another_video_and_is_fetched(drawn, memory, tmp_path):
    first, second, _ = (path.read_bytes() for path in sorted(drawn.iterdir()))
    memory.pipe("/d/v.mp4", first)
    before, _ = found(tmp_path, "memory://d", ["v"])
    seen, shown = identify(before, {}), frames(before["v"])
    memory.pipe("/d/v.mp4", first)  # written again, the same
    again, _ = found(tmp_path, "memory://d", ["v"])
    assert again["v"].facts != before["v"].facts
    assert identify(again, seen)["v"].digest == seen["v"].digest
    memory.pipe("/d/v.mp4", second)
    after, _ = found(tmp_path, "memory://d", ["v"])
    assert identify(after, seen)["v"].digest != seen["v"].digest
    assert not np.array_equal(frames(after["v"])[0], shown[0])
    with pytest.raises(VideoError, match="changed while it was copied"):  # as it was listed first
        frames(replace(before["v"], cache=Cache(tmp_path / "new", 10**9)))


def test_names_are_matched_as_in_folders(drawn, memory, tmp_path):
    content = next(drawn.iterdir()).read_bytes()
    for name in ("in/v_one.MP4", "two [x] #2.mp4", "notes.txt", "one.mp4.part"):
        memory.pipe(f"/d/{name}", content)
    ids = ["one", "two [x] #2", "notes"]
    there, missing = found(tmp_path, "memory://d", ids)
    assert [there[video].name for video in ids[:2]] == ["v_one.MP4", "two [x] #2.mp4"]
    assert missing == ["notes"] and len(frames(there["two [x] #2"]))
    memory.pipe("/d/one.mkv", content)
    memory.pipe("/d/deep/one.mp4", content)
    with pytest.raises(UserError, match=r"one: more than one file \(memory://d/deep/one.mp4, mem"):
        found(tmp_path, "memory://d", ["one"])
    assert find_files(tmp_path / "none", ["one"]) == {}


def test_what_cannot_be_brought_here_says_the_address(drawn, web, tmp_path, capsys):
    server, folder = web
    shutil.copytree(drawn, folder, dirs_exist_ok=True)
    there, _ = found(tmp_path, server.url, IDS)
    server.busy = 1000
    for failed in (lambda: frames(there[IDS[0]]), lambda: open_video(there[IDS[1]])):
        with pytest.raises(VideoError, match=rf"^{server.url}/{IDS[0][:-1]}.\.mp4: cannot be read"):
            failed()
    assert identify(there, {}) == {}
    with pytest.raises(UserError, match=r"cannot be read .*dataset.videos"):
        found(tmp_path, server.url, IDS)
    assert videos_there(settings(tmp_path, server.url), dataset(IDS), IDS) == {}
    assert "assuming that its videos are unchanged" in capsys.readouterr().err
    server.busy = 0
    small = Cache(tmp_path / "small", 1000)
    with pytest.raises(VideoError, match=rf"^{server.url}.* dataset.cache_size"):
        frames(replace(there[IDS[0]], cache=small))


def test_a_server_without_parts_and_one_that_tells_no_version(drawn, web, tmp_path, monkeypatch):
    server, folder = web
    shutil.copytree(drawn, folder, dirs_exist_ok=True)
    server.parts = False
    there, _ = found(tmp_path, server.url, IDS)
    here, _ = found(tmp_path, drawn, IDS, cache=None)
    assert [s.digest for s in identify(there, {}).values()] == [
        s.digest for s in identify(here, {}).values()
    ]
    monkeypatch.setattr("http.server.SimpleHTTPRequestHandler.date_time_string", lambda *_: "")
    there, _ = found(tmp_path / "other", server.url, IDS)
    with pytest.raises(VideoError, match="neither a version nor a time"):
        frames(there[IDS[0]])


def test_lengths_are_told_by_the_ends_of_large_videos(real_data, tmp_path, monkeypatch):
    """Of real footage: what its first and last bytes say is what the whole file says, or it is asked."""
    monkeypatch.setattr("pipeline.data.remote.videos._END", 64 << 10)
    folder = real_data("videos")
    here = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix != ".txt"}
    there = {
        video: RemoteVideo(
            f"file://{path}",
            Cache(tmp_path / "videos", 10**10),
            Facts(path.stat().st_size, str(path.stat().st_mtime)),
            path,
        )
        for video, path in here.items()
    }
    infos, failed = look_at_ends(there, 0)
    whole, failed_whole = probe_all(here, "auto", deep=False, workers=0)
    assert infos == whole and failed.keys() == failed_whole.keys()
    copied = list((tmp_path / "videos").glob("*.*"))
    assert len(copied) < len(here) - 2 and not list((tmp_path / "ends").iterdir())


def test_probing_in_processes(drawn, tmp_path):
    there, _ = found(tmp_path, f"file://{drawn}", IDS)
    infos, failures = probe_all(there, "auto", deep=True, workers=1)
    assert not failures and infos[IDS[0]].duration == pytest.approx(4.0)
