"""`tada-loc config`: the values a run will use, as YAML that can be a configuration again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from pipeline.configuration.keys import known_keys
from pipeline.configuration.reading import RUN_CONFIG, SHIPPED, find_config, load_config
from pipeline.configuration.settings import Config
from pipeline.configuration.thresholds import as_range
from pipeline.errors import UsageError
from pipeline.printing import printable
from pipeline.tools.config.facts import as_yaml
from pipeline.tools.config.key_schemas import key_schemas

_THRESHOLDS = {"eval.iou", "eval.paper_iou"}  # shown as a range if they are one


def values_of(config: Config) -> dict[str, Any]:
    """Every key a run of this configuration has, by its dotted name, as a JSON value.

    The sections that its head needs are there with their defaults; sections that neither the configuration nor its head has are not.
    """
    names = [name for name in Config.model_fields if getattr(config, name) is not None]
    if not config.lacking:
        names = [name for name in Config.model_fields if name in {*names, *config.head_sections}]
    found = {}
    for key in known_keys():
        section, *inner = key.split(".")
        if section in names:
            value: Any = config.section(section)
            for name in inner:
                value = getattr(value, name)
            assert not isinstance(value, BaseModel)
            found[key] = to_jsonable_python(value)
    return found


def changed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are no defaults."""
    schemas = key_schemas()
    return {
        key: value
        for key, value in values.items()
        if "default" not in schemas[key] or schemas[key]["default"] != value
    }


def differing(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not those of another configuration, or of keys that it does not have."""
    return {
        key: value for key, value in values.items() if key not in others or others[key] != value
    }


def as_text(values: Mapping[str, Any], remarks: Mapping[str, str] | None = None) -> str:
    """Values by their dotted keys as YAML, a line a key; `remarks` stand behind some of them."""
    lines: list[str] = []
    begun: set[str] = set()
    for key, value in values.items():
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            path = ".".join(sections[: depth + 1])
            if path not in begun:
                begun.add(path)
                lines.append(f"{'  ' * depth}{section}:")
        if key in _THRESHOLDS and value is not None:
            value = as_range(value) or value
        remark = f"  # {remarks[key]}" if remarks and key in remarks else ""
        lines.append(f"{'  ' * len(sections)}{name}: {as_yaml(value)}{remark}")
    return "\n".join(lines)


def text_of(config: Config, *, only_changed: bool = False, against: str | None = None) -> str:
    """A configuration as YAML: whole, what is not the default, or what differs from another, which is named behind it.

    `against`: a file, the name of a shipped configuration, or a run folder. Raises UsageError where it cannot be read.
    """
    values = values_of(config)
    remarks: dict[str, str] = {}
    if against is not None:
        others = values_of(_other(against))
        values = differing(values, others)
        remarks = {k: printable(f"{against}: {as_yaml(others[k])}") for k in values if k in others}
    if only_changed:
        values = changed(values)
    if not values:
        return f"# no key differs from {printable(against or 'its default')}"
    text = as_text(values, remarks)
    if only_changed and against is None:  # what is printed is a configuration
        text += "".join(f"\n{name}: {{}}" for name in _bare(config, values))
    return text


def _bare(config: Config, values: Mapping[str, Any]) -> list[str]:
    """The sections of a configuration that none of the values are in, and that it would be without if they were not named."""
    named = {key.partition(".")[0] for key in values}
    return [
        name
        for name, field in Config.model_fields.items()
        if field.default is None and getattr(config, name) is not None and name not in named
    ]


def _other(name: str) -> Config:
    """The configuration of `--against`. Raises UsageError where there is none."""
    folder = Path(name)
    if not name or not folder.is_dir() or (SHIPPED / f"{name}.yaml").is_file():
        return load_config(find_config(name), quiet=True)
    if not (folder / RUN_CONFIG).is_file():
        raise UsageError(
            f"--against {name}: a folder without {RUN_CONFIG}; name a run folder, a file, or a shipped configuration"
        )
    return load_config(folder / RUN_CONFIG, quiet=True)
