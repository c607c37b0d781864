"""What commands load: one that finds nothing to do, or needs no network, loads neither torch nor a decoder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from helpers.paths import ROOT, code_paths
from helpers.small_runs import tada

NETWORKS = ("torch", "torchvision", "h5py", "scipy", "matplotlib")
COMPILER = ("torch._dynamo", "torchvision", "sympy", "triton", "scipy", "matplotlib")
LOOKING = ("torch", "pandas", "pydantic", "h5py", "yaml")
# The commands one after the other in one process: each prints what it has loaded that it must not.
CODE = """
import contextlib, io, json, sys
unwanted, commands = json.loads(sys.argv[1])
from pipeline.cli.commands import main
for command in commands:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try: main(command)
        except SystemExit as end: code = end.code
    print(json.dumps([command, code, sorted(set(unwanted) & set(sys.modules)), said.getvalue()]))
"""


def loaded_by(unwanted, commands, code=CODE):
    result = subprocess.run(
        [sys.executable, "-c", code, json.dumps([unwanted, commands])],
        capture_output=True, text=True, cwd=ROOT, env={**code_paths(), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for command, code, loaded, said in map(json.loads, result.stdout.splitlines()):
        assert code in (0, None), said
        assert not loaded, (command, loaded)
    assert len(result.stdout.splitlines()) == len(commands)


@pytest.fixture(scope="module")
def runs(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("loaded")
    for name in ("run", "other"):
        shutil.copytree(whole, folder / name)
    tada("eval", "--run-dir", str(folder / "other"), "--iou", "0.3")
    return folder


def test_what_finds_nothing_to_do_or_only_counts_loads_no_network_and_no_decoder(runs, data):
    run = ["--run-dir", str(runs / "run")]
    detections, rows = runs / "run/classify/detections.csv", data / "annotations.csv"
    commands = [
        *([command, *run] for command in ("status", "verify")),
        *([command, *run] for command in ("finetune", "extract", "bmn", "detect", "classify")),
        *([command, *run] for command in ("eval", "run")),
        ["eval", *run, "--iou", "0.3"],  # which has something to do
        ["score", str(detections), "--config", "demo", "--annotations", str(rows)],
        ["compare", str(runs / "run"), str(runs / "other")],
    ]
    loaded_by((*NETWORKS, "av", "PIL"), commands)


def test_what_looks_at_networks_without_running_them_loads_no_compiler(runs):
    run, model = str(runs / "run"), str(runs / "model.tada")
    commands = [
        ["export", "--run-dir", run, "--to", model],
        ["info", model],
        ["doctor", "--run-dir", run, "--workers", "0"],
    ]
    loaded_by(COMPILER, commands)


def test_a_process_that_looks_at_videos_loads_a_decoder_and_no_more():
    code = "import json, sys\nimport pipeline.data.videos.probing, feature_extraction.video.pyav_reader\n"
    code += (
        "print(json.dumps(['', 0, sorted(set(json.loads(sys.argv[1])[0]) & set(sys.modules)), '']))"
    )
    loaded_by(LOOKING, [[]], code)


def test_a_system_without_locks_is_refused_in_a_line():
    """Windows has no fcntl: `--help` prints its text, every command and the face of notebooks say what to do."""
    code = CODE.replace(
        "import contextlib", "import sys; sys.modules['fcntl'] = None\nimport contextlib"
    )
    code += "import tada_loc\ntry: tada_loc.load\nexcept Exception as error: print(repr(error))\n"
    commands = [["--help"], ["status"], ["finetune", "--config", "demo"], ["predict", "a.mp4"]]
    result = subprocess.run(
        [sys.executable, "-c", code, json.dumps([["torch"], commands])],
        capture_output=True, text=True, cwd=ROOT, env=code_paths(),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    *lines, face = result.stdout.splitlines()
    (_, ended, _, said), *refused = map(json.loads, lines)
    assert not ended and "Usage:" in said
    assert len(refused) == 3 and "use WSL 2" in face
    for _, ended, loaded, said in refused:
        assert ended == 1 and not loaded
        assert said.startswith("Error: tada-loc needs Linux or macOS: ") and said.count("\n") == 1
