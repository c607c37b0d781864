"""Subtitles: two other people's parsers read them, and each moment shows the best actions that run then."""

from __future__ import annotations

import html
import itertools
import re
import time
from dataclasses import replace

import pysrt
import pytest
import webvtt
from helpers.hand_made import HOSTILE, ROWS, epic, found, many
from helpers.numbered_videos import encode
from helpers.sound_and_picture import write

from pipeline.writers.subtitles import LINES, SHORTEST, cues_of, write_srt, write_vtt

OVERLAPPING = [(0.0, 10.0, f"label {n}", 0.9 - n / 300) for n in range(200)]


def milliseconds(text: str) -> int:
    hours, minutes, rest = text.replace(",", ".").split(":")
    return round(1000 * (int(hours) * 3600 + int(minutes) * 60 + float(rest)))


def test_every_piece_of_time_shows_what_runs_in_it_best_first():
    assert cues_of(found()) == [
        (0, 1500, ("down 0.05",)),
        (1500, 2000, ("right 0.9", "down 0.05")),
        (2000, 3500, ("right 0.9", "up 0.8", "down 0.05")),
        (3500, 6250, ("up 0.8", "down 0.05")),
        (6250, 7000, ("down 0.05",)),
        (7000, 8000, ("right 0.3", "down 0.05")),
        (8000, 9000, ("down 0.05",)),
    ]


@pytest.mark.parametrize(
    "prediction",
    [
        found(),
        found(OVERLAPPING),
        many(400),
        many(3000, seconds=30.0),
        epic(),
        found([(0, 4e5, "a", 1)]),
    ],
    ids=["few", "overlapping", "many", "crowded", "epic", "long"],
)
def test_both_parsers_read_the_same_cues_in_order_none_empty_none_overlapping(tmp_path, prediction):
    write_srt(prediction, tmp_path / "own.srt")
    write_vtt(prediction, tmp_path / "own.vtt")
    srt = [
        (item.start.ordinal, item.end.ordinal, tuple(item.text.split("\n")))
        for item in pysrt.open(str(tmp_path / "own.srt"), error_handling=pysrt.ERROR_RAISE)
    ]
    vtt = [
        (milliseconds(item.start), milliseconds(item.end), tuple(item.text.split("\n")))
        for item in webvtt.read(str(tmp_path / "own.vtt"))
    ]
    assert srt == vtt == cues_of(prediction)
    for start, end, lines in srt:
        assert end - start >= SHORTEST and 1 <= len(lines) <= LINES and all(lines)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(srt))


def test_the_lines_are_the_best_of_those_that_run(tmp_path):
    prediction = many(400)
    rows = list(prediction.detections[["start", "end", "label", "score"]].itertuples(index=False))
    for start, end, lines in cues_of(prediction):
        scores = [float(line.rpartition(" ")[2]) for line in lines]
        assert scores == sorted(scores, reverse=True)
        # what runs all through, also where a cut has moved, is there or is not among the best
        through = {
            row.label: row.score
            for row in reversed(rows)
            if row.start * 1000 <= start and row.end * 1000 >= end + SHORTEST
        }
        best = sorted(through.values(), reverse=True)[:LINES]
        assert all(float(f"{a:.2g}") <= b for a, b in zip(best, scores, strict=False))


def test_no_detection_is_lost_however_short():
    rows = [(n / 10, n / 10 + 0.001, f"label {n}", 0.5) for n in range(50)]
    rows += [(8.9999, 9.0, "at the end", 0.5), (4.0, 4.0, "of no length", 0.4)]
    shown = {line.rpartition(" ")[0] for *_, lines in cues_of(found(rows)) for line in lines}
    assert shown == {row[2] for row in rows}
    assert max(end for _, end, _ in cues_of(found(rows))) == 9000


def test_one_action_found_twice_is_one_line():
    rows = [(0.0, 4.0, "a", 0.9), (1.0, 3.0, "a", 0.8), (2.0, 5.0, "a", 0.7)]
    assert cues_of(found(rows)) == [(0, 4000, ("a 0.9",)), (4000, 5000, ("a 0.7",))]


def test_hostile_labels_are_text_in_one_line(tmp_path):
    labels = [*HOSTILE, "a\n\n2\n00:00:01,000 --> 00:00:02,000\nb", "half \ud800", "\x00\x1b[31m"]
    rows = [(float(n), n + 1.0, label, 0.5) for n, label in enumerate(labels)]
    prediction = found(rows, duration=20.0)
    write_srt(prediction, tmp_path / "own.srt")
    write_vtt(prediction, tmp_path / "own.vtt")
    srt, vtt = (tmp_path / f"own.{kind}" for kind in ("srt", "vtt"))
    assert len(pysrt.open(str(srt))) == len(webvtt.read(str(vtt))) == len(labels)
    for path in (srt, vtt):
        text = path.read_text()
        assert text.count("-->") == len(labels) and not re.search(r"<[a-z/]", text)
        assert not re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff]", text)
    # WebVTT's escapes give the label back
    payload = [block.split("\n", 1)[1] for block in vtt.read_text().strip().split("\n\n")[1:]]
    said = [html.unescape(line).removesuffix(" 0.5") for line in payload]
    assert said[: len(HOSTILE)] == list(HOSTILE)


def test_nothing_found_is_a_valid_file(tmp_path):
    write_srt(found([]), tmp_path / "own.srt")
    write_vtt(found([]), tmp_path / "own.vtt")
    assert len(pysrt.open(str(tmp_path / "own.srt"))) == 0
    assert len(webvtt.read(str(tmp_path / "own.vtt"))) == 0
    assert (tmp_path / "own.vtt").read_text() == "WEBVTT\n"


def test_times_of_many_hours_and_names_of_classes(tmp_path):
    write_vtt(found([(360_000.5, 360_001.25, "a", 1.0)], duration=4e5), tmp_path / "own.vtt")
    assert "100:00:00.500 --> 100:00:01.250\na 1\n" in (tmp_path / "own.vtt").read_text()
    assert cues_of(epic())[0] == (1500, 2000, ("open drawer 0.9",))


def test_rounding_makes_no_cue_empty():
    rows = [(row / 3, row / 3 + 1 / 3, str(row), 0.5) for row in range(27)]
    cues = cues_of(found(rows))
    assert len(cues) == 27 and cues[-1][1] == 9000
    assert all(one[1] == other[0] for one, other in itertools.pairwise(cues))
    assert len(cues_of(found(ROWS, duration=float("nan")))) == 7


def test_ten_thousand_detections_take_seconds():
    prediction = many(10_000, seconds=10_800.0)
    begun = time.process_time()
    assert len(cues_of(prediction)) > 1000
    assert time.process_time() - begun < 20


def test_a_late_first_frame_is_late_in_players_and_browsers(tmp_path):
    """Sound from 0 s, pictures from 1 s: both count from the sound. Pictures alone, from 5 s: a player starts there."""
    sound = write(tmp_path / "sound.mp4", "libx264", "aac", frames=9, seconds=2.0, late=1.0)
    silent = encode(tmp_path / "silent.mkv", [0, 3000], shift=5 * 90000)
    begins = []
    for source in (sound, silent, tmp_path / "gone.mp4"):
        prediction = replace(found([(1.0, 2.0, "up", 0.9)]), source=source)
        write_srt(prediction, tmp_path / "own.srt")
        write_vtt(prediction, tmp_path / "own.vtt")
        srt, vtt = pysrt.open(str(tmp_path / "own.srt")), webvtt.read(str(tmp_path / "own.vtt"))
        begins.append((srt[0].start.ordinal, milliseconds(vtt[0].start)))
    assert begins == [(2000, 2000), (1000, 6000), (1000, 1000)]
