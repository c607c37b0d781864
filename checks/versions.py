"""The tests with other versions than those pinned: `python -m checks.versions newest`, or `oldest`.

`newest` installs what pip finds today, without constraints.txt; `oldest` installs the lowest
version that pyproject.toml allows of each dependency. Each has a virtual environment of its own,
`.venv-newest` and `.venv-oldest`, made again each time. Of the tests those named in QUICK run, without
the long ones: whatever calls a library we depend on, in about three minutes on two cores.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Not here: studies, hostile input, kills, several processes. `make test` has these.
QUICK = (
    "tests/bmn",
    "tests/evaluation",
    "tests/feature_extraction",
    "tests/pipeline/configuration",
    "tests/pipeline/data",
    "tests/pipeline/results",
    "tests/pipeline/run_folder",
    "tests/pipeline/tools/config",
    "tests/pipeline/training",
    "tests/pipeline/test_end_to_end.py",
    "tests/test_packaging.py",
)


def requirements(pyproject: Path) -> list[str]:
    """The dependencies of the program and of its tests, as pyproject.toml states them."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


def oldest(requirement: str) -> str:
    """`NAME>=VERSION; MARKER` -> `NAME==VERSION; MARKER`; ValueError where no oldest is stated."""
    stated, semicolon, marker = requirement.partition(";")
    match = re.fullmatch(r"([\w.-]+)>=([\w.]+)(,.*)?", stated.replace(" ", ""))
    if match is None:
        raise ValueError(
            f"pyproject.toml: {requirement!r} states no oldest version; write NAME>=VERSION"
        )
    return f"{match[1]}=={match[2]}{semicolon}{marker}"


def install(which: str, environment: Path) -> None:
    """Make the virtual environment and install the program and its tests' needs there."""
    shutil.rmtree(environment, ignore_errors=True)
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # files removed since would be packed too
    _run(sys.executable, "-m", "venv", str(environment))
    constraints = []
    if which == "oldest":
        pins = environment / "oldest.txt"
        lines = [oldest(requirement) for requirement in requirements(ROOT / "pyproject.toml")]
        pins.write_text("\n".join(lines) + "\n", encoding="utf-8")
        constraints = ["--constraint", str(pins)]
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    _run(*pip, "install", "--quiet", *constraints, ".[test]")
    _run(*pip, "freeze", "--exclude", "tada-loc")


def main(words: list[str]) -> int:
    """Install the newest or the oldest versions and run the quick tests with them."""
    if len(words) != 1 or words[0] not in ("newest", "oldest"):
        print("usage: python -m checks.versions newest|oldest")
        return 2
    environment = ROOT / f".venv-{words[0]}"
    try:
        install(words[0], environment)
        _run(str(environment / "bin" / "python"), "-m", "pytest", "-m", "not slow", *QUICK)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def _run(*command: str) -> None:
    """Run a command in the repository; CalledProcessError where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
