"""Segments against their videos' real lengths, by command: units, cuts, refusals before any work, and what is reported."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.activitynet_files import entry, write_json
from helpers.numbered_videos import encode
from helpers.paths import ROOT
from helpers.small_runs import SMALL, error_line, tada

SECONDS, RATE = 4.0, 30
TINY = [
    *SMALL, "finetune.epochs=1", "finetune.warmup_epochs=0", "bmn.epochs=1", "bmn.warmup_epochs=0",
    "runtime.device=cpu", "runtime.workers=0",
]  # fmt: skip
RIGHT = [(0.5, 1.5, "right"), (2.0, 3.5, "down")]
VIDEOS = {f"v{n:02d}": "training" if n < 3 else "validation" for n in range(5)}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number in range(len(VIDEOS)):
        ticks = [3000 * k for k in range(int(SECONDS * RATE) - number)]  # each a frame shorter
        encode(folder / f"v{number:02d}.mp4", ticks)
    return folder


@pytest.fixture
def table(tmp_path):
    """Writes the segments of every video, other times for some, and gives what a command needs."""

    def write(times=RIGHT, **others):
        rows = [
            f"{video},{start!r},{end!r},{label},{subset}"
            for video, subset in VIDEOS.items()
            for start, end, label in others.get(video, times)
        ]
        (tmp_path / "own.csv").write_text("\n".join(["video,start,end,label,subset", *rows]) + "\n")
        return tmp_path / "own.csv"

    return write


def on(table, videos, *more):
    settings = [*TINY, f"dataset.annotations={table}", f"dataset.videos={videos}", *more]
    keys = [part for setting in settings for part in ("--set", setting)]
    return ["--config", "demo", "--run-dir", str(table.parent / "run"), *keys]


def scaled(factor, rounded=True):
    return [
        (*(round(t * factor) if rounded else t * factor for t in row[:2]), row[2]) for row in RIGHT
    ]


UNITS = {
    "frames at 30 per second": scaled(30),
    "frames at 15 or 30 per second, or percent of the video": scaled(15),
    "milliseconds": scaled(1000),
    "percent of the video": scaled(100 / SECONDS, rounded=False),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("command", ["finetune", "run", "plan", "doctor", "init"])
def test_another_unit_is_refused_before_any_work_and_guessed(table, videos, unit, command):
    own = table(UNITS[unit])
    if command == "init":
        result = tada(
            "init", str(videos), str(own), "--to", str(own.parent / "c.yaml"), "--workers", "0"
        )
    else:
        result = tada(command, *on(own, videos))
    assert result.exit_code == 1
    said = result.output if command == "doctor" else error_line(result)
    assert "6 of 6" in said and "v00 of 4.00 s: " in said
    assert f"these look like {unit}: write times in seconds" in said
    assert not (own.parent / "run").exists() and not (own.parent / "c.yaml").exists()


def test_right_times_go_through_every_stage_and_each_file_is_looked_at_once(
    table, videos, monkeypatch
):
    from pipeline.data.videos import lengths

    looked = []
    real = lengths.probe_all
    monkeypatch.setattr(
        lengths, "probe_all", lambda paths, *a, **k: looked.extend(paths) or real(paths, *a, **k)
    )
    own = table()
    result = tada("run", *on(own, videos))
    assert result.exit_code == 0, result.output
    assert (
        "end after their video's end" not in result.output and "warning: all" not in result.output
    )
    assert sorted(looked) == sorted(VIDEOS)
    for command in ("run", "status", "eval", "eval-classifier"):
        result = tada(command, *on(own, videos))
        assert result.exit_code == 0, result.output
    remembered = json.loads((own.parent / "run/lengths.json").read_text())
    assert sorted(one["seconds"] for one in remembered.values()) == pytest.approx(
        [SECONDS - n / RATE for n in (4, 3, 2, 1, 0)], abs=1e-3
    )
    assert sorted(looked) == sorted(VIDEOS), "nothing is looked at twice"
    # Allowed less than there is, nothing changes where nothing lies behind an end.
    assert tada("run", *on(own, videos, "dataset.allow_beyond=0")).exit_code == 0


def test_a_few_are_cut_or_left_out_and_counted_and_allowed_as_far_as_the_key_says(table, videos):
    late = [(0.5, 1.5, "right"), (3.0, 6.0, "down"), (7.0, 8.0, "down")]
    own = table(v00=late, v03=late)
    result = tada("finetune", *on(own, videos))
    line = error_line(result)
    assert result.exit_code == 1 and not (own.parent / "run").exists()
    assert (
        f"{own}: 2 of 7 training segments end after their video's end, 1 of them begin there"
        in line
    )
    assert "v00 of 4.00 s: 3 to 6" in line and "dataset.allow_beyond" in line
    result = tada("run", *on(own, videos, "dataset.allow_beyond=0.5"))
    assert result.exit_code == 0, result.output
    assert "2 of 7 training segments end after" in result.output
    assert (
        "annotations, training: 1 segments: begins after the video's end, left out" in result.output
    )
    assert (
        "annotations, training: 1 segments: ends after the video's end, cut there" in result.output
    )
    assert "2 of 5 validation segments end after" in result.output
    assert "no detection can reach them" in result.output
    assert "finetune: 6 training" in result.output
    truth = json.loads((own.parent / "run/eval/results.json").read_text())
    assert truth["tasks"]["mAP"]["map"][0] <= 80  # a truth after the end counts, as officially
    # What is finished is compared with the key of this moment, too.
    again = tada("run", *on(own, videos, "dataset.allow_beyond=0.3"))
    assert again.exit_code == 1 and "2 of 5 validation segments" in error_line(again)


@pytest.mark.parametrize("command", ["eval", "bmn", "eval-classifier"])
def test_rows_that_change_later_are_refused_by_the_stage_that_reads_them(table, videos, command):
    own = table()
    assert tada("run", *on(own, videos)).exit_code == 0
    bad = dict.fromkeys(("v00", "v01", "v02") if command == "bmn" else ("v03", "v04"), scaled(1000))
    table(**bad)
    result = tada(command, *on(own, videos))
    assert result.exit_code == 1 and "milliseconds" in error_line(result), result.output


def test_rounding_at_the_very_end_is_nothing(table, videos):
    own = table(v00=[(0.5, 1.5, "right"), (2.0, SECONDS + 0.05, "down")])
    result = tada("plan", *on(own, videos))
    assert result.exit_code == 0 and "end after" not in result.output


def test_fractions_and_minutes_are_a_warning(table, videos):
    own = table([(start / SECONDS, end / SECONDS, label) for start, end, label in RIGHT])
    result = tada("plan", *on(own, videos))
    assert result.exit_code == 0, result.output
    assert (
        "warning: all 6 training segments are inside the first second of their videos"
        in result.output
    )
    assert "inside the first second" in tada("doctor", *on(own, videos)).output


def test_a_replaced_video_is_looked_at_anew_and_a_missing_one_has_no_length(
    table, videos, tmp_path
):
    mine = tmp_path / "videos"
    shutil.copytree(videos, mine)
    own = table()
    assert tada("run", *on(own, mine)).exit_code == 0
    encode(mine / "v03.mp4", [3000 * k for k in range(30)])  # one second
    result = tada("run", *on(own, mine))
    assert result.exit_code == 1 and "v03 of 1.00 s: 2 to 3.5" in error_line(result)
    (mine / "v03.mp4").unlink()
    result = tada("run", *on(own, mine))  # as it was when its features were made
    assert result.exit_code == 0, result.output


def test_durations_that_contradict_the_files_are_counted(videos, tmp_path):
    rows = {
        video: {**entry(RIGHT, subset), "duration": 40.0 if video == "v01" else SECONDS}
        for video, subset in VIDEOS.items()
    }
    path = write_json(tmp_path / "a.json", rows)
    result = tada("plan", *on(path, videos, "dataset.format=activitynet"))
    assert result.exit_code == 0, result.output
    assert (
        "1 of 5 annotated durations are not the files' (v01 of 3.97 s, annotated 40.00 s)"
        in result.output
    )
    assert "training segments are cut at the earlier of the two" in result.output


def test_segments_the_wrong_way_round(videos, tmp_path, table):
    swapped = [(end, start, label) for start, end, label in RIGHT]
    rows = {video: entry(swapped, subset) for video, subset in VIDEOS.items()}
    path = write_json(tmp_path / "a.json", rows)
    said = tada("doctor", *on(path, videos, "dataset.format=activitynet")).output
    assert "6 of 6 segments end before their start; swap start and end: v00: 1.5 to 0.5" in said
    line = error_line(tada("run", *on(path, videos, "dataset.format=activitynet")))
    assert "no segment to train on (6 zero length or end before start, left out)" in line
    line = error_line(tada("run", *on(table(swapped), videos)))
    assert "10 of 10 rows are like this: swap start and end" in line


def test_features_from_elsewhere_say_how_long_their_videos_are(table, videos, tmp_path):
    features = tmp_path / "features"
    features.mkdir()
    for video in VIDEOS:
        np.save(features / f"{video}.npy", np.random.default_rng(0).normal(size=(12, 8)))
    own = table()
    nowhere = [
        *on(own, tmp_path / "nowhere"),
        "--from",
        str(features),
        "--fps",
        "15",
        "--stride",
        "5",
    ]
    result = tada("import-features", *nowhere)
    assert result.exit_code == 0, result.output
    table([(6.5, 8.5, "right"), (9.0, 11.25, "down")])
    result = tada("bmn", *on(own, tmp_path / "nowhere"))
    assert result.exit_code == 1 and "6 of 6 training" in error_line(result)
    table()
    assert tada("bmn", *on(own, tmp_path / "nowhere")).exit_code == 0


def test_the_table_with_frames_of_the_cases(tmp_path):
    """Made again: ten videos of 9 s, frames counted at 15 per second, whatever the rate of the videos."""
    folder = tmp_path / "videos"
    folder.mkdir()
    encode(folder / "v00.mp4", [3000 * k for k in range(270)])
    for number in range(1, 10):
        shutil.copy(folder / "v00.mp4", folder / f"v{number:02d}.mp4")
    rows = [
        f"v{n:02d},{segment},{'training' if n < 6 else 'validation'}"
        for n in range(10)
        for segment in ("22,52,right", "75,112,down")
    ]
    own = tmp_path / "own.csv"
    own.write_text("\n".join(["video,start,end,label,subset", *rows]))
    line = error_line(tada("run", *on(own, folder)))
    assert "12 of 12 training segments end after their video's end, 12 of them begin there" in line
    assert "frames at 15 or 30 per second" in line


def test_the_key_is_described():
    assert "dataset.allow_beyond" in (ROOT / "docs/how-to/own-data.md").read_text()
