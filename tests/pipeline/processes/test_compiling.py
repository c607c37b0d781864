"""What torch's compiler leaves: nothing where nothing is compiled, and else in the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

import pytest
from helpers.paths import code_paths

from pipeline.processes import compiling
from pipeline.processes.compiling import no_compiler_folder, use_compiler_cache

KEY = "TORCHINDUCTOR_CACHE_DIR"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr(compiling, "_keep_headers_in", lambda folder: None)
    return tmp_path


def test_a_folder_that_is_there_stands_for_the_compilers_and_for_a_while_alone(home):
    with no_compiler_folder():
        assert os.path.isdir(os.environ[KEY])
    assert KEY not in os.environ and not list(home.iterdir())


def test_what_is_compiled_is_kept_in_the_users_cache(home):
    with no_compiler_folder():
        use_compiler_cache()
        assert os.environ[KEY] == str(home / "caches/tada-loc/compiled")
        use_compiler_cache()
        assert os.path.isdir(os.environ[KEY])
    assert KEY not in os.environ


def test_the_users_own_choice_stays(home, monkeypatch):
    monkeypatch.setenv(KEY, "/mine")
    with no_compiler_folder():
        use_compiler_cache()
        assert os.environ[KEY] == "/mine"
    assert os.environ[KEY] == "/mine"


def test_where_no_cache_can_be_made_torchs_choice_stays(home):
    (home / "caches").write_text("in the way")
    with no_compiler_folder():
        use_compiler_cache()
        assert KEY not in os.environ


COMPILE = """
from pipeline.processes.compiling import no_compiler_folder, use_compiler_cache
with no_compiler_folder():
    import torch, torchvision
    if {compiled}:
        use_compiler_cache()
        function = torch.compile(torch.nn.ReLU(), dynamic=False)
        print(float(function(torch.ones(2, 4)).sum()))
"""


@pytest.mark.parametrize(
    "compiled",
    [
        False,
        pytest.param(
            True,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler"),
            ],
        ),
    ],
)
def test_a_process_leaves_nothing_in_the_temporary_folder(tmp_path, compiled):
    folders = {"TMPDIR": tmp_path / "tmp", "HOME": tmp_path / "home"}
    for folder in folders.values():
        folder.mkdir()
    env = {k: v for k, v in code_paths().items() if k not in (KEY, "XDG_CACHE_HOME")}
    subprocess.run(
        [sys.executable, "-c", COMPILE.format(compiled=compiled)],
        env=env | {key: str(folder) for key, folder in folders.items()},
        check=True,
    )
    assert not list(folders["TMPDIR"].iterdir())
    assert (folders["HOME"] / ".cache/tada-loc/compiled").exists() == compiled
    assert tempfile.gettempdir() != str(folders["TMPDIR"])
