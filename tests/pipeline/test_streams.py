"""A reader who goes away ends what is printed, not the work; of every command, and without a word."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.small_runs import options, without_stages

from pipeline.cli.commands import main
from pipeline.streams import outlive_readers

# Each command in a process of its own, whose output nobody reads; started once, to load libraries once.
COMMANDS = """
import importlib, json, os, sys
from pipeline.cli.commands import main
folder, numbers, commands, loaded = json.loads(sys.argv[1])
for name in loaded:
    importlib.import_module(name)
codes = []
for place, arguments in enumerate(commands):
    child = os.fork()
    if not child:
        os.dup2(os.open(f"{folder}/{place}.err", os.O_CREAT | os.O_WRONLY), 2)
        for number in numbers:
            reader, writer = os.pipe()
            os.close(reader)
            os.dup2(writer, number)
        sys.argv = ["tada-loc", *arguments]
        sys.exit(main())  # to the end of the interpreter, where what is buffered is written
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""


# What nearly every command that works loads; the others load no torch.
WORK = (
    "pipeline.stages.finetune", "pipeline.stages.extract", "pipeline.stages.heads.bmn", "pipeline.stages.classify",
    "pipeline.stages.evaluate", "pipeline.tools.report.making", "pipeline.tools.why.analysis",
)  # fmt: skip


def unread(
    folder: Path, commands: list[list[str]], *numbers: int, loaded: tuple[str, ...] = ()
) -> list[tuple[int, str]]:
    """Exit code and standard error of commands whose output `numbers` nobody reads."""
    asked = json.dumps([str(folder), numbers, commands, loaded])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    said = [(folder / f"{place}.err").read_text() for place in range(len(commands))]
    return list(zip(json.loads(done.stdout), said, strict=True))


@pytest.mark.parametrize("numbers", [(1,), (1, 2)])
def test_help_of_every_command(tmp_path, numbers):
    commands = [[], ["--version"], ["--help"], *([name, "--help"] for name in main.commands)]
    found = unread(tmp_path, commands, *numbers)
    # Without a command the help is shown and, as click has it, the exit code is that of a wrong one.
    assert found[0][0] == 2 and found[1:] == [(0, "")] * (len(commands) - 1)


@pytest.fixture(scope="module")
def shown(whole, data, tmp_path_factory):
    """What every command that is cheap on a complete run ends with, where nobody reads it."""
    folder = tmp_path_factory.mktemp("shown")
    run = shutil.copytree(whole, folder / "run")
    own, made = options(data, run), folder / "made"
    made.mkdir()
    annotated = {"a": {"subset": "validation", "annotations": [{"segment": [0, 1], "label": "x"}]}}
    (made / "truth.json").write_text(json.dumps({"database": annotated}))
    (made / "found.json").write_text(json.dumps({"results": {"a": []}}))
    scored = ["--config", "hacs", "--annotations", str(made / "truth.json"), "dataset.classes=null"]
    asked = {
        name: [name, *own]
        for name in ("status", "verify", "doctor", "run", "finetune", "extract", "bmn", "detect", "classify", "eval",
                     "plan")
    }  # fmt: skip
    asked["submit"] = ["submit", "--engine", "local", *own]
    asked["proxies"] = [
        "proxies",
        *own,
        "finetune.proxies=36",
        f"dataset.proxies={made / 'proxies'}",
    ]
    asked["eval-classifier"] = ["eval-classifier", *own, "views.clips=1", "views.crops=1"]
    asked["eval --json"] = ["eval", *own, "--json", "/dev/stdout"]
    asked["report"] = ["report", *own, "--to", str(made / "report")]
    asked["eval --why"] = ["eval", *own, "--why"]
    asked["compare"] = ["compare", str(run), str(folder / "again"), "--resamples", "20"]
    shutil.copytree(whole, folder / "again")
    asked["sweep"] = ["sweep", "--run-dir", str(run), "proposals.alpha=0.3,0.5"]
    asked["score"] = ["score", str(made / "found.json"), *scored]
    asked["export-features"] = ["export-features", *own, "--to", str(made / "features")]
    asked["export"] = ["export", "--run-dir", str(run), "--to", str(made / "own.tada")]
    asked["info"] = ["info", str(made / "own.tada")]
    asked["init"] = ["init", str(data / "videos"), str(data / "annotations.csv"), "--workers", "0",
                     "--to", str(made / "own.yaml")]  # fmt: skip
    asked["config"] = ["config", *own]
    asked["convert"] = ["convert", str(data / "annotations.csv"), "--to", str(made / "table.csv")]
    asked["predict"] = ["predict", str(data / "videos/validation_000.mp4"), "--run-dir", str(run),
                        "--device", "cpu", "--workers", "0", "--to", str(made / "found")]  # fmt: skip
    asked["explain"] = ["explain", "validation_000", "--run-dir", str(run), "--device", "cpu", "--at", "4"]  # fmt: skip
    found = unread(folder, list(asked.values()), 1, loaded=WORK)
    return dict(zip(asked, found, strict=True)), folder


def test_every_command_ends_as_if_it_had_been_read(shown):
    found, folder = shown
    for name, (code, said) in found.items():
        assert code == 0, f"{name}: {said}"
        assert "roken pipe" not in said and "BrokenPipe" not in said and "Error" not in said, name
    assert found["status"][1] == ""
    assert (
        found["eval"][1]
        == found["eval --json"][1]
        == f"report: {folder / 'run/report/index.html'}\n"
    )
    assert (folder / "made/report/index.html").is_file()
    assert (folder / "made/own.yaml").is_file() and list((folder / "made/features").glob("*.npy"))


def test_every_command_has_been_asked(shown):
    named = {name.partition(" ")[0] for name in shown[0]}
    # These two print their result as the others do; they take long, or have none.
    assert set(main.commands) - named == {"demo", "import-features"}


def test_a_training_that_nobody_listens_to_ends_as_any(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    shutil.rmtree(run / "finetune")
    line = [
        ["finetune", *options(data, run, workers=1)],
        ["extract", *options(data, run, workers=1)],
    ]
    assert unread(tmp_path, line, 1, 2, loaded=WORK) == [(0, ""), (0, "")]
    assert (run / "finetune/model.pt").is_file()
    for path in (whole / "extract/features").iterdir():
        assert path.read_bytes() == (run / "extract/features" / path.name).read_bytes()
    assert not (run / "extract/failures.json").exists()


def test_the_first_line_alone_is_read():
    line = f'"{sys.executable}" -m pipeline --help | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("Usage") and not done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the full device of Linux")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["status", "--help"], ["status", "--config", "demo"]]
)
def test_a_full_disk_stays_an_error(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert [line[:35] for line in done.stderr.splitlines() if "using" not in line] == [
        "Error: the output: cannot be writte"
    ]


PRINTING = """
import sys
from pipeline.streams import outlive_readers
outlive_readers()
print("one", flush=True)
sys.stdin.readline()
print("x" * 100_000)
print("two", flush=True)
sys.stderr.write(sys.stdout.encoding + " " + sys.stdout.errors)
"""


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_read_is_whole_until_the_reader_goes(kind):
    ours, theirs = socket.socketpair() if kind == "socket" else (None, subprocess.PIPE)
    done = subprocess.Popen(
        [sys.executable, "-c", PRINTING],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "iso8859-1:replace"},
    )
    if ours is not None:
        theirs.close()
        assert ours.recv(4) == b"one\n"
        ours.close()
    else:
        assert done.stdout.readline() == "one\n"
        done.stdout.close()
    done.stdin.write("go on\n")
    done.stdin.close()
    assert done.stderr.read() == "iso8859-1 replace" and done.wait(60) == 0
    done.stderr.close()


def test_a_stream_that_somebody_put_in_the_place_is_left(capsys):
    before = sys.stdout, sys.stderr
    outlive_readers()
    assert (sys.stdout, sys.stderr) == before
