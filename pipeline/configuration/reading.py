"""YAML to frozen, strictly validated settings (pipeline/configuration/settings.py).

Unknown keys, wrong types and values out of range are
refused with the dotted path of the key and, for a misspelt one, the nearest name.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.configuration.keys import known_keys, new_names
from pipeline.configuration.settings import Config
from pipeline.configuration.thresholds import missed_end
from pipeline.configuration.yaml_text import RepeatedKeyError, read_yaml, write_yaml
from pipeline.errors import UsageError
from pipeline.plain_files import read_text
from pipeline.progress import say

__all__ = [
    "SHIPPED",
    "Config",
    "dump_config",
    "find_config",
    "load_config",
    "parse_overrides",
    "read_config",
]

RUNS = Path("runs")  # where run folders are, unless told
LARGEST = 1_000_000  # bytes of a configuration; the shipped ones have 4,000
RUN_CONFIG = "config.yaml"  # what a run folder keeps of its settings
SHIPPED = Path(__file__).resolve().parents[1] / "configs"


def find_config(name: str) -> Path:
    """The path of a configuration: a file, or the name of a shipped one.

    Raises UsageError when there is neither.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if os.path.lexists(path):  # also what is no plain file: reading it says so
            return path
        raise UsageError(f"configuration {name}: no such file")
    shipped = SHIPPED / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    if os.path.lexists(path) and not path.is_dir():
        return path
    names = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
    raise UsageError(f"configuration {name!r}: neither a file nor one of the shipped ({names})")


def load_config(
    path: Path, overrides: Mapping[str, Any] | None = None, *, quiet: bool = False
) -> Config:
    """Read and validate a configuration; `overrides` maps dotted keys to values.

    Keys with an old name are said, unless `quiet`.

    Raises UsageError naming the file, the key, its value and the nearest known key.
    """
    try:
        text = read_text(path, LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read as a configuration ({reason})") from error
    return read_config(text, path, overrides, quiet=quiet)


def read_config(
    text: str, path: Path, overrides: Mapping[str, Any] | None = None, *, quiet: bool = False
) -> Config:
    """Validate the text of a configuration; `path`, where it is or will be, is for messages.

    Raises UsageError as `load_config` does.
    """
    try:
        data = read_yaml(text)
    except RepeatedKeyError as error:
        raise UsageError(f"{path}: {error}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: holds no sections; see a shipped configuration for the form")
    overrides = dict(overrides or {})
    renamed = _rename_keys(data)
    if not (quiet or _is_of_run(path)):  # no file of the user's; the next stage writes it anew
        _say_renamed(path, renamed)
    renamed = _rename_overrides(overrides)
    if not quiet:
        _say_renamed(None, renamed)
    for key, value in overrides.items():
        _set_key(data, key, value)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        key, said = _first_problem(error)
        # What was set on the command line is no fault of the file's.
        raise UsageError(said if key in overrides else f"{path}: {said}") from error
    if config.eval is not None and not quiet and (missed := missed_end(data["eval"].get("iou"))):
        say(missed)
    return config


def parse_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """`section.key=value` strings to a mapping; values are read as YAML.

    Raises UsageError for a string without `=` or with a value that is no YAML.
    """
    result: dict[str, Any] = {}
    for text in assignments:
        key, found, value = text.partition("=")
        if not found or not key.strip():
            raise UsageError(f"setting {text!r}: write it as section.key=value")
        try:
            result[key.strip()] = read_yaml(value)
        except RepeatedKeyError as error:
            raise UsageError(f"setting {text!r}: {error}") from error
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise UsageError(f"setting {text!r}: the value is not valid YAML") from error
    return result


def dump_config(config: Config) -> str:
    """The configuration as YAML that `load_config` reads back to the same values; no sign in it is not printable."""
    values = config.model_dump(mode="json")
    plain = json.dumps(values, ensure_ascii=False).isprintable()
    return write_yaml(values, sort_keys=False, allow_unicode=plain)


def _rename_keys(data: dict[str, Any]) -> dict[str, str]:
    """Give keys of a file that have an old name their new one; tells which."""
    found = {}
    for old, new in new_names().items():
        *sections, name = old.split(".")
        values: Any = data
        for section in sections:
            values = values.get(section) if isinstance(values, dict) else None
        if isinstance(values, dict) and name in values:
            last = new.rpartition(".")[2]
            _refuse_both(old, new, last in values)
            values[last] = values.pop(name)
            found[old] = new
    return found


def _rename_overrides(overrides: dict[str, Any]) -> dict[str, str]:
    found = {old: new for old, new in new_names().items() if old in overrides}
    for old, new in found.items():
        _refuse_both(old, new, new in overrides)
        overrides[new] = overrides.pop(old)
    return found


def _refuse_both(old: str, new: str, both: bool) -> None:
    if both:
        raise UsageError(f"{old} and {new} are given: {old} is the old name of {new}, give one")


def _is_of_run(path: Path) -> bool:
    """Whether a file is what a run folder keeps of its settings."""
    return path.name == RUN_CONFIG and any(path.parent.glob("*/manifest.json"))


def _say_renamed(path: Path | None, names: Mapping[str, str]) -> None:
    if names:
        said = ", ".join(f"{old} is now {new}" for old, new in names.items())
        say(f"{path}: renamed keys: {said}" if path else f"renamed keys: {said}")


def _set_key(data: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    if any(name.startswith(f"{key}.") for name in known_keys()):
        raise UsageError(f"{key} is a section: set its keys one by one, {key}.KEY=value")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise UsageError(f"{key}: {section} holds no keys")
    data[last] = value


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """The dotted key of what is wrong, and what is said of it."""
    problems = error.errors(include_url=False)
    # A misspelt key also makes the right one missing: name the misspelling first.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    key = _dotted(problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.5)
        return key, f"unknown key {key}" + (f" (did you mean {near[0]}?)" if near else "")
    if problem["type"] == "missing":
        return key, f"{key} is missing"
    text = problem["msg"].removeprefix("Value error, ")
    text = text[:1].lower() + text[1:]
    if not key:
        return key, text
    return key, f"{key} = {problem['input']!r}: {text}"


def _dotted(location: tuple[int | str, ...]) -> str:
    # Below a key pydantic goes on with the names of types and positions, which are no key of the user's.
    parts = [str(part) for part in location]
    known = known_keys()
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in known:
            return ".".join(parts[:length])
    return ".".join(parts)
