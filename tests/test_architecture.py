"""The house rules, checked from the source."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from helpers.paths import ROOT

LIBRARIES = ("feature_extraction", "bmn", "actionformer", "evaluation")
PACKAGES = (*LIBRARIES, "pipeline", "tada_loc")
# The rooms of the pipeline from the ground up: a room imports only those to its left.
ROOMS: tuple[tuple[str, ...], ...] = (
    ("",),  # the files beside the rooms, which every room may use
    ("configuration", "processes", "run_folder"),
    ("training", "data"),
    ("results",),
    ("runs",),
    ("stages",),
    ("prediction",),
    ("model_files", "writers", "pages"),
    ("tools",),
    ("demo", "notebook"),
    ("cli",),
)
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 250, 40, 8
LEAST_FILES, MOST_FILES = 3, 9  # of a room, besides __init__.py
# Networks and their parts: their arguments are the options of the papers.
MANY_PARAMETERS = frozenset(
    {
        "build_backbone",
        "resnet",
        "CalibratedConv.__init__",
        "TAdaConv1d.__init__",
        "TAdaConv2d.__init__",
        "TAdaConv3d.__init__",
        "tadaconv3d_frames",
        "BMN.__init__",
        "ActionFormer.__init__",
        "extract_features",  # kept as they were for notebooks; Extractor is the type
        "features_at",
        "suppress",  # the options of the public configurations
    }
)
FILES = sorted(path for name in (*PACKAGES, "benchmarks") for path in (ROOT / name).rglob("*.py"))
ROOM_FOLDERS = sorted(
    {path.parent for path in FILES if path.name == "__init__.py"} - {ROOT / "benchmarks"}
)


def name_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


@cache
def imports(path: Path) -> frozenset[str]:
    """The files of ours that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else str(node.module))
    return frozenset(name for name in found if name in MODULES)


def room_of(name: str) -> tuple[int, str]:
    """The place of a file of the pipeline in ROOMS, and its room."""
    parts = name.split(".")
    room = parts[1] if len(parts) > 2 or (ROOT / "pipeline" / parts[-1]).is_dir() else ""
    return next((place, room) for place, rooms in enumerate(ROOMS) if room in rooms)


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_import_neither_one_another_nor_the_pipeline(library):
    others = set(PACKAGES) - {library}
    for path in (ROOT / library).rglob("*.py"):
        found = {name.split(".")[0] for name in imports(path)} & others
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("pipeline.")])
def test_a_room_imports_only_rooms_to_its_left(name):
    if name in {"pipeline.__main__"}:  # the way in
        return
    place, room = room_of(name)
    for other in imports(MODULES[name]):
        if not other.startswith("pipeline.") or other == "pipeline":
            continue
        there, its_room = room_of(other)
        assert there < place or its_room == room, f"{name} imports {other}"


def test_every_room_is_in_the_order():
    folders = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    assert folders == {room for rooms in ROOMS for room in rooms if room}


def test_no_imports_go_in_a_circle():
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name in done:
            return
        for other in sorted(imports(MODULES[name])):
            # A package's own names are gathered in its __init__: that is no way back.
            if not way or not name.startswith(f"{other}."):
                walk(other, (*way, name))
        done.add(name)

    for name in MODULES:
        walk(name, ())


def test_the_walk_sees_what_is_inside_functions_and_what_is_no_circle(tmp_path):
    file = tmp_path / "file.py"
    file.write_text("def f():\n    from pipeline.runs import run\n    import bmn.nms\n")
    assert imports(file) == {"pipeline.runs.run", "bmn.nms"}


def test_nothing_imports_the_benchmarks():
    for name, path in MODULES.items():
        if not name.startswith("benchmarks"):
            assert not any(other.startswith("benchmarks") for other in imports(path)), name


@pytest.mark.parametrize("folder", ROOM_FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_say_what_they_are_for_and_have_few_files(folder):
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert said, f"{folder} says nothing of itself"
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    if folder.parent != ROOT:
        assert LEAST_FILES <= len(files) <= MOST_FILES, f"{folder.name} has {len(files)} files"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE, f"{path.name} is too long"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{path.name}: {node.name} has {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_have_at_most_eight_parameters(path):
    tree = ast.parse(path.read_text())
    methods = {
        item: f"{node.name}.{item.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, ast.FunctionDef)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = sum(argument.arg not in {"self", "cls"} for argument in arguments)
            name = methods.get(node, node.name)
            if name not in MANY_PARAMETERS:
                assert count <= MOST_PARAMETERS, f"{path.name}: {name} has {count} parameters"


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


def test_only_the_command_line_prints_and_knows_click():
    for name, path in MODULES.items():
        if name.startswith(("pipeline.cli", "benchmarks")):
            continue
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert keywords.get("file") == "sys.stderr", f"{name} prints"
            if isinstance(node, ast.Import):
                assert "click" not in {alias.name for alias in node.names}, f"{name} imports click"


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


def test_no_file_loads_torchvision_when_it_is_imported():
    """It brings in torch's compiler: seconds of every process, workers too. The file that needs it is imported where used."""
    slow = ("torchvision", "feature_extraction.augmentation")
    for path in FILES:
        loaded = [
            name
            for node in ast.parse(path.read_text("utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [one.name for one in node.names]
            )
        ]
        found = [name for name in loaded if name.startswith(slow)]
        assert not found or path == ROOT / "feature_extraction/augmentation.py", (path, found)


def test_the_table_of_stages_names_functions_and_folders_that_are_there():
    from pipeline.runs.graph import STAGES

    folders = {stage.folder for stage in STAGES}
    for stage in STAGES:
        module, _, function = stage.run.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), stage.name
        assert set(stage.reads) <= folders, stage.name


def test_tests_mirror_the_rooms():
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        # what all rooms promise together is tested on its own
        assert folder.name == "truth" or (ROOT / folder).is_dir(), f"{path} mirrors no folder"
