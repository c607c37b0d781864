"""What names and files hold never steers a terminal: every command prints it escaped, in one line."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import termios
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers.paths import ROOT
from helpers.small_runs import options, tada
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.options import echo
from pipeline.configuration.reading import dump_config, find_config, load_config, read_config
from pipeline.printing import printable, printable_lines
from pipeline.progress import Progress, say

# A title, a colour, a cursor moved (also by the one sign that stands for ESC [), a line written over, bidi marks.
EVIL = "\x1b]0;x\x07\x1b[31m\x9b2J\r\x08\u202e\u2066\u200b\x85\u2028"
SHOWN = r"\x1b]0;x\x07\x1b[31m\x9b2J\r\x08\u202e\u2066\u200b\x85\u2028"
LABEL = "\u202e\u2066\u200b\ufeff"
NAME = "a\u202e\u2066\u200b\ufeffb"  # of a video or a class, which take no control characters and line ends


def clean(text: str) -> str:
    """Text that holds nothing but signs that are seen, and line ends."""
    wrong = {mark for mark in text if unicodedata.category(mark)[0] in "C" and mark != "\n"}
    assert not wrong and "\u2028" not in text, (wrong, text)
    return text


def output(*arguments: object) -> str:
    result = tada(*map(str, arguments))
    assert "Traceback" not in result.output and "Error: unexpected" not in result.output
    return clean(result.output)


def test_all_that_is_not_seen_is_escaped():
    assert (
        printable(EVIL) == SHOWN
        and printable("plain, é, 日本, العربية") == "plain, é, 日本, العربية"
    )
    assert printable("a\nb") == r"a\nb" and printable_lines(f"a\n{EVIL}\nb") == f"a\n{SHOWN}\nb"
    assert printable("\udc80") == r"\udc80"


@given(st.text())
def test_no_text_comes_out_as_anything_else(text):
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in printable_lines(text).split("\n"))
    assert printable_lines(text).count("\n") == text.count("\n")


def test_the_ways_to_the_terminal_escape(capsys):
    say(f"one\n{EVIL}")
    echo(f"one\n{EVIL}")
    with Progress(1, EVIL, unit="video") as bar:
        bar._said = -1e9
        bar.update(1, loss=1.0)
    said = capsys.readouterr()
    assert said.out == f"one\n{SHOWN}\n"
    first, second = said.err.splitlines()
    assert first == rf"one\n{SHOWN}" and second.startswith(SHOWN)


def test_a_bar_on_a_terminal_has_a_printable_title(tmp_path):
    code = (
        "import sys; from pipeline.progress import Progress\n"
        "with Progress(9, 'a\\x1b[31mb\\x9b', unit='video') as bar: bar.update(3)\n"
    )
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 99))
    env = {name: value for name, value in os.environ.items() if not name.startswith("TQDM")}
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=theirs, cwd=ROOT, env=env
    ) as process:
        process.wait(60)
    os.set_blocking(ours, False)
    said = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    assert r"a\x1b[31mb\x9b" in said and "\x1b[31m" not in said and "\x9b" not in said


TABLE = "video,start,end,label,subset\n"


@pytest.fixture
def evil(data, tmp_path, monkeypatch):
    """A dataset whose videos, classes and folder have names that would control a terminal."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / f"videos{EVIL}"
    folder.mkdir()
    rows = []
    for number, subset in enumerate(["training", "training", "validation", "training"]):
        name = f"{NAME}{number}"
        shutil.copy(data / "videos/training_000.mp4", folder / f"{name}.mp4")
        rows += [(name, 0.5, 1.5, f"=x{LABEL}y", subset), (name, 2, 2, f"=z{LABEL}", subset)]
        rows += [(name, 3.0, 99.0, f"=x{LABEL}y", subset)]
    rows.append((f"{NAME} missing", 0, 1, f"left{LABEL}", "validation"))
    rows.append((f"{NAME} other", 0, 1, f"right{LABEL}", f"sub{LABEL}"))
    frame = pd.DataFrame(rows, columns=TABLE.strip().split(","))
    frame.to_csv(tmp_path / "rows.csv", index=False, quoting=1)
    # as a test's command line: with a folder and annotations of its own
    lines = [f"dataset.videos={json.dumps(str(folder))}", "dataset.annotations=rows.csv"]
    lines.append("dataset.allow_beyond=1")
    return folder, lines


def test_doctor_status_and_plan(evil, data, tmp_path):
    folder, lines = evil
    (folder / f"{NAME}1.mp4").write_text("not a video")
    said = output("doctor", *options(data, tmp_path / f"run{EVIL}", *lines))
    assert r"\u202e" in said and "do not decode" in said and "1 of 5 missing" in said
    assert not [line for line in said.splitlines() if line.startswith("y")], "a name began a line"
    said = output("status", *options(data, tmp_path / f"run{EVIL}", *lines))
    assert said.startswith("run folder") and r"\x1b[31m" in said.splitlines()[0]


def test_init(evil, tmp_path):
    folder, _ = evil
    (folder / f"{NAME}1.mp4").write_text("not a video")
    target = f"own{EVIL}\nname.yaml"
    said = output("init", folder, "rows.csv", "--to", target, "--workers", 0, "--allow-beyond", 1)
    assert "cannot be read" in said and "written for" in said
    assert len([line for line in said.splitlines() if line.startswith("own")]) == 1
    text = clean((tmp_path / target).read_text())
    assert yaml.safe_load(text)["dataset"]["videos"] == str(folder)
    assert r"\x1b[31m" in text.splitlines()[2]


def test_a_run_of_all_stages(evil, data, tmp_path):
    """Every stage on such names: what it says and prints, and the tables between stages."""
    _, lines = evil
    run = tmp_path / f"run{EVIL}"
    everything = options(data, run, *lines)
    said = output("run", *everything, "--allow-failures", "1", "-v")
    assert r"\x1b[31m" in said and "AR@" in said
    assert "'=x" in (run / "classify/detections.csv").read_text()
    for command in ("status", "eval", "eval-classifier"):
        more = () if command == "status" else ("--allow-failures", "1")
        output(command, *everything, *more)
    output("export-features", *everything, "--to", f"out{EVIL}", "--allow-failures", "1")
    (run / "eval/results.json").write_text(
        json.dumps({"iou": [0.5], "tasks": {EVIL: {"map": [1.0], "average": 1.0}}})
    )
    said = output("eval", *everything, "--allow-failures", "1")
    assert clean((run / "config.yaml").read_text())


@pytest.mark.parametrize(
    "arguments",
    [
        ["finetune", f"--{EVIL}"],
        ["finetune", EVIL],
        [EVIL],
        [f"--{EVIL}"],
        ["status", "--run-dir", EVIL],
        ["status", "--config", EVIL],
        ["status", "--set", f"{EVIL}=1"],
        ["extract", "--decoder", EVIL],
        ["bmn", "--epochs", EVIL],
        ["score", f"{EVIL}.json", "--config", "hacs", "--annotations", f"{EVIL}.csv"],
        ["init", EVIL, EVIL],
        ["demo", f"--backbone={EVIL}"],
    ],
)
def test_what_is_typed(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert output(*arguments)


@pytest.mark.parametrize("place", ["subset", "label", "segment", "duration", "video", "key"])
def test_fields_of_annotations_and_results(data, tmp_path, place):
    row = {"segment": [0, 2], "label": "grow"} | (
        {place: EVIL} if place in {"label", "segment"} else {}
    )
    entry = {"subset": "validation", "duration": 14, "annotations": [row]}
    entry |= {place: EVIL} if place in {"subset", "duration"} else {}
    names = {"video": f"a/{EVIL}"}
    content = {"database": {names.get(place, "v"): entry}} if place != "key" else {EVIL: 1}
    (tmp_path / "rows.json").write_text(json.dumps(content))
    extra = ("dataset.format=activitynet", f"dataset.annotations={tmp_path / 'rows.json'}")
    output("finetune", *options(data, tmp_path / "run", *extra))
    output("doctor", *options(data, tmp_path / "run", *extra))
    found = {"label": EVIL, "score": 1, "segment": [0, 2]} | (
        {place: EVIL} if place == "segment" else {}
    )
    (tmp_path / "found.json").write_text(json.dumps({"results": {f"v{EVIL}": [found]}}))
    output("score", tmp_path / "found.json", "--config", "demo", *extra)


@pytest.mark.parametrize("name", ["finetune/manifest.json", "extract/failures.json"])
def test_fields_of_the_run_folder(whole, data, tmp_path, name):
    run = shutil.copytree(whole, tmp_path / "run")
    if name == "extract/failures.json":
        rows = [{"video": "training_001", "stage": EVIL, "reason": EVIL, "attempts": 1}]
        (run / name).write_text(json.dumps(rows))
        (run / "extract/features/training_001.h5").unlink()
    else:
        content = json.loads((run / name).read_text())
        content["fields"] |= {f"file.{EVIL}": EVIL, "finetune.epochs": EVIL, EVIL: 3}
        content |= {"updated": EVIL, "progress": {"done": EVIL, "total": EVIL}}
        (run / name).write_text(json.dumps(content))
    for command in ("status", "finetune", "bmn"):
        output(command, *options(data, run))


def test_a_configuration_is_written_as_it_can_be_shown(tmp_path):
    for name in (EVIL, "日本", f"日本{EVIL}"):
        config = load_config(find_config("demo"), {"dataset.videos": name})
        text = clean(dump_config(config))
        assert read_config(text, Path("c.yaml")).dataset.videos == config.dataset.videos
    assert "日本" in dump_config(load_config(find_config("demo"), {"dataset.videos": "日本"}))
