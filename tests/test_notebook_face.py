"""`import tada_loc`: thin and quick."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest
from helpers.paths import ROOT, code_paths

import tada_loc

NAMES = ["Detections", "Detector", "Run", "__version__", "load"]


def ends_well(code: str) -> None:
    made = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=code_paths(),
        check=False,
    )
    assert made.returncode == 0, made.stderr


def test_importing_it_loads_nothing_heavy():
    heavy = "{'torch', 'pandas', 'numpy', 'h5py', 'av', 'pydantic', 'matplotlib', 'pipeline'}"
    ends_well(
        f"import sys, tada_loc; dir(tada_loc); sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    )


def test_looking_at_detections_loads_no_torch():
    ends_well(
        "import sys, tada_loc; tada_loc.Run, repr(tada_loc.Detections()); "
        "sys.exit('torch' if 'torch' in sys.modules else 0)"
    )


def test_its_names_are_there_and_no_others():
    assert sorted(tada_loc.__all__) == NAMES == [name for name in dir(tada_loc) if name in NAMES]
    for name in NAMES:
        assert getattr(tada_loc, name)
    assert re.fullmatch(r"\d+\.\d+.*|unknown", tada_loc.__version__)
    with pytest.raises(AttributeError, match=r"no attribute 'lode'; it has .*load"):
        _ = tada_loc.lode
    with pytest.raises(ImportError):
        from tada_loc import nothing  # noqa: F401


def test_the_package_is_thin():
    lines = sum(path.read_text().count("\n") for path in (ROOT / "tada_loc").rglob("*.py"))
    assert lines < 150


def test_its_calls_are_those_that_were_promised():
    assert list(inspect.signature(tada_loc.load).parameters) == ["model", "device", "precision"]
    called = inspect.signature(tada_loc.Detector.__call__).parameters
    assert list(called)[:5] == ["self", "videos", "threshold", "top", "classes"]
