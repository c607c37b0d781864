"""`tada-loc proxies` and the training on them: never mixed without being asked, made again where a video is another."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import torch
from helpers.small_runs import error_line, kill, options, start, tada

from feature_extraction.store import FeatureFileError
from feature_extraction.video.opening import probe
from pipeline.data.clips.training import Clips
from pipeline.data.proxies.form import proxy_path, proxy_size
from pipeline.data.proxies.standing import standing

ON = "finetune.proxies=36"
VIDEOS = [f"training_{number:03d}" for number in range(4)]


@pytest.fixture
def own(data, tmp_path):
    """A data set of its own, and a run on it."""
    shutil.copytree(data, tmp_path / "data")
    return tmp_path / "data", tmp_path / "run"


def command(name, own, *more):
    return tada(name, *options(*own, ON), *more)


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """Proxies that others copy."""
    run = tmp_path_factory.mktemp("proxies") / "run"
    done = tada("proxies", *options(data, run, ON))
    assert done.exit_code == 0, done.output
    return run


def test_they_are_made_once_and_trained_on(data, made, tmp_path, monkeypatch):
    run = shutil.copytree(made, tmp_path / "run")
    folder = run / "proxies"
    assert sorted(path.stem for path in folder.glob("*.mp4")) == VIDEOS
    again = tada("proxies", *options(data, run, ON))
    assert again.exit_code == 0 and "complete (4 videos)" in again.output, again.output
    read = set()
    reading = Clips._read
    monkeypatch.setattr(
        Clips,
        "_read",
        lambda self, *args: read.update(self._segments.paths.values()) or reading(self, *args),
    )
    done = tada("finetune", *options(data, run, ON))
    assert done.exit_code == 0 and f"read from proxies in {folder}" in done.output, done.output
    assert {path for path in read if path.stem in VIDEOS} == set(folder.glob("*.mp4"))
    fields = json.loads((run / "finetune/manifest.json").read_text())["fields"]
    assert fields["finetune.proxies"] == 36
    one = torch.load(run / "finetune/model.pt", weights_only=True)["model"]
    # on the videos themselves it is another training, and is not started without being asked
    assert "finetune.proxies: 36 -> None" in error_line(tada("finetune", *options(data, run)))
    other = tada("finetune", *options(data, run), "--force")
    assert other.exit_code == 0 and "are not read: finetune.proxies is null" in other.output
    two = torch.load(run / "finetune/model.pt", weights_only=True)["model"]
    assert any(not torch.equal(one[key], two[key]) for key in one)
    back = tada("finetune", *options(data, run, ON))
    assert back.exit_code == 0 and "is restored" in back.output
    shutil.rmtree(folder)  # what was trained on them stays
    assert "complete, nothing to do" in tada("finetune", *options(data, run, ON)).output


def test_without_them_training_is_refused_and_with_some_the_others_are_left_out(own, made):
    line = error_line(command("finetune", own))
    assert "no current proxy of 4 of 4 training videos" in line and "tada-loc proxies" in line
    shutil.copytree(made / "proxies", own[1] / "proxies")
    (own[1] / "proxies" / "training_001.mp4").unlink()
    with (own[1] / "proxies" / "training_002.mp4").open("ab") as file:
        file.write(b"more")
    line = error_line(command("finetune", own, "--allow-failures", "1"))
    assert "training_001 (gone), training_002 (not what was written)" in line
    status = tada("status", *options(*own, ON))
    assert "2 of 4 training videos have no current proxy" in status.output
    found = tada("doctor", *options(*own, ON))
    assert "2 training videos have one that is current, 2 have none" in found.output
    done = command("finetune", own, "--allow-failures", "2")
    assert done.exit_code == 0, done.output
    assert json.loads((own[1] / "finetune/manifest.json").read_text())["summary"]["left_out"] == [
        "training_001",
        "training_002",
    ]
    check = tada("verify", *options(*own, ON))
    assert check.exit_code == 1 and "training_002.mp4: is not as it was written" in check.output
    again = command("proxies", own)
    assert again.exit_code == 0 and "those of 1 videos are gone (training_001)" in again.output
    assert tada("verify", *options(*own, ON)).exit_code == 0


def test_after_a_kill_the_same_command_makes_the_rest(own, made):
    folder = own[1] / "proxies"
    process = start(["proxies", *options(*own, ON)])
    deadline = time.monotonic() + 120
    while not list(folder.glob("*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.002)
    kill(process)
    kept = {path.name: path.stat().st_ino for path in folder.glob("*.mp4")}
    done = command("proxies", own)
    assert done.exit_code == 0, done.output
    for path in sorted((made / "proxies").glob("*.mp4")):
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
    recorded = len(kept) - 1  # the last one may have been killed before its line
    same = [name for name, inode in kept.items() if (folder / name).stat().st_ino == inode]
    assert len(same) >= recorded
    names = {path.name for path in folder.iterdir()}  # nothing half written
    assert names == {".lock", "videos.jsonl", *(f"{video}.mp4" for video in VIDEOS)}


def test_a_replaced_video_makes_its_proxy_stale_and_other_sizes_make_all(own, made):
    shutil.copytree(made / "proxies", own[1] / "proxies")
    shutil.copy(own[0] / "videos/training_001.mp4", own[0] / "videos/training_000.mp4")
    assert "training_000 (of another file)" in error_line(command("finetune", own))
    before = {video: (own[1] / "proxies" / f"{video}.mp4").stat() for video in VIDEOS}
    done = command("proxies", own)
    assert done.exit_code == 0 and "of another file (training_000)" in done.output, done.output
    after = {video: (own[1] / "proxies" / f"{video}.mp4").stat() for video in VIDEOS}
    assert [v for v in VIDEOS if before[v].st_ino != after[v].st_ino] == ["training_000"]
    folder = own[1].parent / "shared"
    other = ("finetune.proxies=40", f"dataset.proxies={folder}")
    done = tada("proxies", *options(*own, *other))
    assert done.exit_code == 0 and len(list(folder.glob("*.mp4"))) == 4, done.output
    shutil.copytree(folder, own[1] / "proxies", dirs_exist_ok=True)
    assert "(made with other settings)" in error_line(command("finetune", own))


def test_videos_that_fail_are_listed_and_their_former_proxies_go(own, made):
    shutil.copytree(made / "proxies", own[1] / "proxies")
    (own[0] / "videos/training_003.mp4").write_bytes(b"no video at all")
    line = error_line(command("proxies", own))
    assert "proxies: 1 videos failed (training_003" in line
    assert json.loads((own[1] / "proxies/failures.json").read_text())[0]["video"] == "training_003"
    assert not (own[1] / "proxies/training_003.mp4").exists()
    done = command("proxies", own, "--allow-failures", "1")
    assert done.exit_code == 0 and "3 videos" in done.output, done.output


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("finetune.proxies=null", "set finetune.proxies=36"),
        ("finetune.proxies=30", "give an even number of at least 36"),
        ("finetune.proxies=37", "give an even number of at least 36"),
        ("finetune.source=features", "proxies have no effect"),
    ],
)
def test_what_makes_no_sense_is_refused(own, key, said):
    assert said in error_line(tada("proxies", *options(*own, ON, key)))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1920, 1080), (568, 320)), ((1080, 1920), (320, 568)), ((426, 240), (426, 240)), ((97, 65), (98, 66)),
     ((640, 640), (320, 320)), ((5000, 321), (4984, 320))],
)  # fmt: skip
def test_sizes_are_even_and_never_larger_than_the_videos(size, expected):
    assert proxy_size(*size, 320) == expected


@pytest.mark.parametrize("video", ["../v", "/v", "a/../../v", ""])
def test_ids_that_leave_the_folder_are_refused(tmp_path, video):
    with pytest.raises(FeatureFileError):
        proxy_path(tmp_path, video)
    assert proxy_path(tmp_path, "class/v.1") == tmp_path / "class/v.1.mp4"


def test_what_the_source_says_of_itself_is_known(made, data):
    found = standing(
        made / "proxies",
        36,
        VIDEOS,
        {},
        {row["video"]: row["of"] for row in ledger(made)},
    )
    infos = {video: probe(data / f"videos/{video}.mp4") for video in VIDEOS}
    assert found.rates == {video: info.fps for video, info in infos.items()}
    assert found.lengths == {video: info.duration for video, info in infos.items()}


def ledger(run):
    lines = (run / "proxies/videos.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line]
