"""The JSON Schema of a configuration, for editors and other programs.

Draft 7: editors of YAML know it, and not all of them know a later one.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from pipeline.configuration.keys import new_names, sections
from pipeline.configuration.settings import Config
from pipeline.tools.config.facts import facts_of, section_text
from pipeline.tools.config.key_schemas import key_schemas

DRAFT = "http://json-schema.org/draft-07/schema#"


def configuration_schema() -> dict[str, Any]:
    """The schema of a whole configuration file, without references.

    What holds between keys (`finetune.crop` is at most the shorter side, say) is not in it. A key that was renamed is in it by
    its old name too, marked as deprecated: it is still read.
    """
    return {
        "$schema": DRAFT,
        "title": "Configuration of tada-loc",
        **_section(Config, ""),
        "description": f"{section_text(Config)} `tada-loc config --explain KEY` says more about a key.",
    }


def _section(model: type[BaseModel], prefix: str) -> dict[str, Any]:
    """The schema of a section; `prefix` is its dotted name with a dot behind it, "" of the whole."""
    inner, properties = sections(), {}
    for name, field in model.model_fields.items():
        key = prefix + name
        if key not in inner:
            properties[name] = _of_key(key)
            continue
        properties[name] = _section(inner[key], f"{key}.")
        if not field.is_required() and field.default is None:  # a run may do without it
            either = [properties[name], {"type": "null"}]
            properties[name] = {"description": section_text(inner[key]), "anyOf": either}
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return {
        "description": section_text(model),
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": properties | _renamed(prefix),
    }


def _of_key(key: str) -> dict[str, Any]:
    """A key's schema, with all that is said of it as its description."""
    facts = facts_of(key)
    unit = f"Unit: {facts.unit}." if facts.unit else ""
    said = " ".join(filter(None, (facts.description, unit, facts.why)))
    plain: dict[str, Any] = _without_format(key_schemas()[key])
    return {"description": said, **plain}


def _renamed(prefix: str) -> dict[str, Any]:
    """The old names of a section's keys."""
    found = {}
    for old, new in new_names().items():
        section, _, name = old.rpartition(".")
        if f"{section}." == prefix:
            said = f"Renamed: write {new.rpartition('.')[2]}."
            schema = {key: value for key, value in _of_key(new).items() if key != "default"}
            marks = {"description": said, "deprecated": True, "deprecationMessage": said}
            found[name] = schema | marks
    return found


def _without_format(value: Any) -> Any:
    """Without the formats that only we know; a program that checks formats would ask what they are."""
    if isinstance(value, list):
        return [_without_format(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_format(inner) for key, inner in value.items() if key != "format"}
    return value
