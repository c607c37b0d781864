"""YAML to frozen, strictly validated settings (pipeline/configuration/settings.py).

Unknown keys, wrong types and values out of range are
refused with the dotted path of the key and, for a misspelt one, the nearest name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.configuration.keys import known_keys
from pipeline.configuration.model_content import is_model_file, read_content
from pipeline.configuration.problems import first_problem
from pipeline.configuration.renaming import rename_keys, rename_overrides
from pipeline.configuration.sections.published import completed
from pipeline.configuration.settings import Config
from pipeline.configuration.stored import as_start
from pipeline.configuration.thresholds import missed_end
from pipeline.configuration.yaml_text import RepeatedKeyError, read_yaml, write_yaml
from pipeline.errors import UsageError, UserError
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

RUNS = Path("runs")  # where run folders are by default
LARGEST = 1_000_000  # bytes of a configuration; the shipped ones have 4,000
RUN_CONFIG = "config.yaml"  # the settings that a run folder keeps
SHIPPED = Path(__file__).resolve().parents[1] / "configs"


def find_config(name: str) -> Path:
    """The path of a configuration: a file, or the name of a shipped one.

    Raises UsageError when there is neither.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if os.path.lexists(path):  # also what is not a plain file: reading it says so
            return path
        raise UsageError(f"configuration {name}: no such file")
    shipped = SHIPPED / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    if os.path.lexists(path) and not path.is_dir():
        return path
    names = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
    raise UsageError(
        f"configuration {name!r}: neither a file nor a shipped configuration ({names})"
    )


def load_config(
    path: Path, overrides: Mapping[str, Any] | None = None, *, quiet: bool = False
) -> Config:
    """Read and validate a configuration; `overrides` maps dotted keys to values.

    Of a model file it is the one the model was made with, the model itself the initial weights. Keys with an
    old name are reported, unless `quiet`.

    Raises UsageError naming the file, the key, its value and the nearest known key.
    """
    if is_model_file(path):
        return _validated(_from_model(path, overrides or {}), path, overrides, quiet=quiet)
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
        raise UsageError(f"{path}: has no sections; see a shipped configuration for an example")
    return _validated(data, path, overrides, quiet=quiet)


def _from_model(path: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The sections that begin a new run from a model file. Raises UsageError if no data set is named."""
    options = {"annotations": "--annotations FILE", "videos": "--videos DIR"}
    missing = [key for key in options if f"dataset.{key}" not in overrides]
    if missing:
        raise UsageError(
            f"{path} names no {' and no '.join(missing)}: give {' and '.join(options[k] for k in missing)}"
        )
    try:
        return as_start(read_content(path)["configuration"], str(path))
    except UsageError:
        raise
    except UserError as error:
        raise UsageError(error.message) from error


def _validated(
    data: dict[str, Any], path: Path, overrides: Mapping[str, Any] | None, *, quiet: bool
) -> Config:
    """Sections with what was set on the command line, as settings. Raises UsageError as `load_config` does."""
    overrides = dict(overrides or {})
    renamed = rename_keys(data)
    if not (quiet or _is_of_run(path)):  # no file of the user's; the next stage writes it again
        _say_renamed(path, renamed)
    renamed = rename_overrides(overrides)
    if not quiet:
        _say_renamed(None, renamed)
    for key, value in overrides.items():
        _set_key(data, key, value)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        key, said = first_problem(error)
        # What was set on the command line is no fault of the file's.
        raise UsageError(said if key in overrides else f"{path}: {said}") from error
    if config.eval is not None and not quiet and (missed := missed_end(data["eval"].get("iou"))):
        say(missed)
    return completed(config, quiet=quiet)


def parse_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """`section.key=value` strings to a mapping; values are read as YAML.

    Raises UsageError for a string without `=` or with a value that is not YAML.
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
    """The configuration as YAML that `load_config` reads back to the same values; all its characters are printable."""
    values = config.model_dump(mode="json")
    plain = json.dumps(values, ensure_ascii=False).isprintable()
    return write_yaml(values, sort_keys=False, allow_unicode=plain)


def _is_of_run(path: Path) -> bool:
    """Whether a file is the settings that a run folder keeps."""
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
        if (
            data.get(section) is None
        ):  # not there, or `null`, as a run keeps a section that was not given
            data[section] = {}
        data = data[section]
        if not isinstance(data, dict):
            raise UsageError(f"{key}: {section} holds no keys")
    data[last] = value
