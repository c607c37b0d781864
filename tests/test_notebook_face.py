"""`import tada_loc`: thin, quick, and what the documents show of it is there."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys

import pytest
from helpers.paths import ROOT, code_paths

import tada_loc

NAMES = ["Detections", "Detector", "Run", "__version__", "load"]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "how-to" / "notebook.md"]


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_the_documents_show_is_there(document):
    """Names and arguments of the blocks that begin with `import tada_loc`."""
    blocks = re.findall(r"^```python\n(import tada_loc.*?)^```", document.read_text(), re.M | re.S)
    assert blocks
    owners = {"run": tada_loc.Run, "found": tada_loc.Detections, "detector": tada_loc.Detector}
    for node in ast.walk(ast.parse("\n".join(blocks))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = {"tada_loc": tada_loc, **owners}.get(node.value.id)
            known = node.attr in ("folder",) or owner is None or hasattr(owner, node.attr)
            assert known, f"{node.value.id}.{node.attr}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "detector":
            given = inspect.signature(tada_loc.Detector.__call__).parameters
            assert {keyword.arg for keyword in node.keywords} <= set(given)
