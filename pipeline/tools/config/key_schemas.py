"""The JSON Schema of each key, of draft 7: what its type and range follow from, wherever they are shown."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from pydantic_core import to_jsonable_python

from pipeline.configuration.keys import sections

# Limits of numbers that pydantic leaves with their Python names, because a check of ours stands before them.
_LIMITS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}
_SAID = ("description", "unit", "paper", "why")


@cache
def key_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each key by its dotted name, with its default; `format` is "path", or "place" for a path or an address."""
    inner = sections()
    return {
        f"{name}.{key}": _plain(schema)
        for name, model in inner.items()
        for key, schema in _properties(model).items()
        if f"{name}.{key}" not in inner
    }


def _properties(model: type[BaseModel]) -> dict[str, Any]:
    _, schema = models_json_schema([(model, "validation")])
    properties: dict[str, Any] = schema["$defs"][model.__name__]["properties"]
    for name, field in model.model_fields.items():
        if not field.is_required():  # pydantic leaves those out that a function makes
            default = field.get_default(call_default_factory=True)
            properties[name]["default"] = to_jsonable_python(default)
    return properties


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A key's schema without what is said of it."""
    return {key: value for key, value in _draft7(schema).items() if key not in _SAID}


def _draft7(value: Any) -> Any:
    if isinstance(value, list):
        return [_draft7(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {
        _LIMITS.get(key, key): _draft7(inner) for key, inner in value.items() if key != "title"
    }
    if "prefixItems" in found:  # of a later draft
        found["items"] = found.pop("prefixItems")
        found["additionalItems"] = False
    return found
