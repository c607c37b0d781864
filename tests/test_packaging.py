"""What is installed is whole: files, pins, entry point, and one version of everything said twice."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
from helpers.paths import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from setuptools import find_packages

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
PACKAGES = ("tada_loc", "pipeline", "feature_extraction", "bmn", "actionformer", "evaluation")
# Pinned by torch itself, each to one version, and other ones on other machines.
PINNED_BY_TORCH = re.compile("(nvidia|cuda)-.*|triton")


def packaged():
    return find_packages(str(ROOT), **SETUPTOOLS["packages"]["find"])


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def stated():
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(line) for part in (PROJECT["dependencies"], *extras) for line in part]


def test_every_folder_of_code_is_a_package_that_is_found():
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)
    assert {".".join(folder.relative_to(ROOT).parts) for folder in folders} == set(packaged())


def test_every_configuration_and_marker_is_packed():
    globs = SETUPTOOLS["package-data"]
    packed = {
        path for name, parts in globs.items() for glob in parts for path in (ROOT / name).glob(glob)
    }
    others = {
        path
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert packed == others  # nothing beside code that a wheel would lack
    assert {ROOT / name / "py.typed" for name in PACKAGES} < packed
    assert len([path for path in packed if path.suffix == ".yaml"]) >= 10


def test_git_ignores_no_code():
    """A pattern without a slash in front, as `runs/`, would leave out a package of that name."""
    ignored = (ROOT / ".gitignore").read_text().split()
    names = {part for name in packaged() for part in name.split(".")}
    assert not names & {line.rstrip("/") for line in ignored}


def test_the_entry_point_is_a_command():
    module, _, name = PROJECT["scripts"]["tada-loc"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_no_file_has_a_version_to_edit():
    assert "version" not in PROJECT and "version" in PROJECT["dynamic"]
    assert any(line.startswith("setuptools-scm") for line in PYPROJECT["build-system"]["requires"])
    try:
        Version(version("tada-loc"))  # whatever it is, pip can order it
    except PackageNotFoundError:
        pytest.skip("not installed: run from the folder")


def test_the_version_is_that_of_the_tag(tmp_path):
    pytest.importorskip("setuptools_scm")

    def git(*words):
        own = (
            "user.name=a",
            "user.email=a@example.org",
            "commit.gpgsign=false",
            "tag.gpgsign=false",
        )
        options = [word for setting in own for word in ("-c", setting)]
        subprocess.run(["git", *options, *words], cwd=tmp_path, check=True, capture_output=True)

    def found():
        command = [sys.executable, "-m", "setuptools_scm"]
        told = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return Version(told.stdout.strip())

    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    untagged = found()
    assert untagged.is_devrelease and untagged.local and untagged < Version("0.1.0.dev0")
    git("tag", "v0.1.0")
    assert found() == Version("0.1.0")
    git("commit", "--allow-empty", "-m", "second")
    after = found()
    assert after.is_devrelease and Version("0.1.0") < after < Version("0.1.1")
    git("tag", "v0.2.0")
    assert found() == Version("0.2.0")


def test_an_archive_of_a_commit_knows_its_tag():
    """What `git archive` and the archives of forges hold: without .git, the version stands in a file."""
    assert ".git_archival.txt export-subst" in (ROOT / ".gitattributes").read_text().splitlines()
    template = (ROOT / ".git_archival.txt").read_text()
    assert "describe-name: $Format:%(describe:tags=true,match=v[0-9]*)$" in template.splitlines()


def test_the_licence_is_one():
    assert PROJECT["license"] == "Apache-2.0"
    assert (
        "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    )
    assert "SPDX-License-Identifier: Apache-2.0" in (ROOT / "NOTICE").read_text()
    assert "license: Apache-2.0" in (ROOT / "CITATION.cff").read_text()
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])


def test_the_python_that_the_readme_asks_for_is_the_one_required():
    asked = re.findall(r"Python (\d\.\d+) or newer", (ROOT / "README.md").read_text())
    assert [f">={number}" for number in asked] == [PROJECT["requires-python"]]
    oldest = asked[0]
    assert f"Programming Language :: Python :: {oldest}" in PROJECT["classifiers"]
    assert PYPROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")


def test_every_dependency_and_extra_is_pinned_within_what_is_stated():
    pinned = pins()
    for requirement in stated():
        pin = pinned[canonicalize_name(requirement.name)].specifier
        (exact,) = pin
        assert exact.operator == "==" and exact.version in requirement.specifier, requirement


def test_what_these_need_in_turn_is_pinned():
    """So that the same versions are installed tomorrow."""
    pinned, waiting, seen = pins(), [(requirement, "") for requirement in stated()], set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        if name in seen or PINNED_BY_TORCH.fullmatch(name):
            continue
        seen.add(name)
        assert name in pinned, f"constraints.txt: {name} is installed but not pinned"
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed here
        if installed.version in pinned[name].specifier:  # another version has other needs
            waiting += [(Requirement(line), "") for line in installed.requires or []]


def named_paths():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    tree = re.search(r"```text\n(.*?)```", text, re.DOTALL)[1]
    stack: list[tuple[int, Path]] = []
    for line in filter(None, tree.splitlines()):
        name = line.split()[0]
        depth = len(line) - len(line.lstrip())
        stack = [entry for entry in stack if entry[0] < depth]
        path = (stack[-1][1] if stack else Path()) / name
        stack.append((depth, path))
        yield path.as_posix()
    for word in re.findall(r"`([^`\s]+)`", text):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)*(/|\.(py|md|toml|txt|yaml|cff))", word):
            yield word


def test_every_path_that_contributing_names_exists():
    paths = sorted(set(named_paths()))
    assert len(paths) > 40
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert not missing


def test_every_room_is_in_the_tree_of_contributing():
    named = {path.strip("/") for path in named_paths()}
    folders = {name.replace(".", "/") for name in packaged()}
    assert folders <= named, folders - named
