"""The house rules, checked from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GROUND = ("feature_extraction", "bmn", "evaluation")
ROOMS = (*GROUND, "pipeline")
FILES = sorted(path for room in (*ROOMS, "benchmarks") for path in (ROOT / room).rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("room", GROUND)
def test_ground_floor_rooms_do_not_import_one_another(room):
    others = set(ROOMS) - {room}
    for path in (ROOT / room).rglob("*.py"):
        found = imported(ast.parse(path.read_text())) & others
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_nothing_imports_the_benchmarks():
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            assert "benchmarks" not in imported(ast.parse(path.read_text())), path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 320, f"{path.name} is too long"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= 80, f"{path.name}: {node.name} has {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_have_types_and_docstrings(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert node.returns is not None, f"{path.name}: {node.name} has no return type"
            assert ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            for argument in arguments:
                assert argument.annotation, f"{path.name}: {node.name}({argument.arg}) has no type"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unpickles_or_runs_data(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert name not in {"pickle.load", "pickle.loads", "eval", "exec", "yaml.unsafe_load"}
        if name == "torch.load":
            assert keywords.get("weights_only") == "True", f"{path.name}: torch.load"
        if name in {"np.load", "numpy.load"}:
            assert keywords.get("allow_pickle", "False") == "False", f"{path.name}: np.load"


@pytest.mark.parametrize("command", [["--help"], ["finetune", "--help"], ["eval", "--help"]])
def test_help_imports_nothing_heavy(command):
    code = (
        "import sys\n"
        "from pipeline.cli.commands import main\n"
        f"try: main({command!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'av', 'h5py', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


def test_packages_are_listed():
    text = (ROOT / "pyproject.toml").read_text()
    for room in ROOMS:
        for init in (ROOT / room).rglob("__init__.py"):
            package = ".".join(init.parent.relative_to(ROOT).parts)
            assert f'"{package}"' in text, f"{package} is not in pyproject.toml"
