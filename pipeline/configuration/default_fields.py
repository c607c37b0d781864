"""What a key counts as in the manifest of a program that did not know it."""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from pipeline.configuration.reading import Config
from pipeline.run_folder.identity import flatten


@cache
def default_fields() -> dict[str, Any]:
    """The default of every optional key by its dotted name, as a manifest holds it.

    A new key's default does what was done before there was the key, so results made then stay valid.
    """
    fields: dict[str, Any] = {}
    for section, field in Config.model_fields.items():
        kinds = [part for part in get_args(field.annotation) if part is not NoneType]
        model = kinds[0] if kinds else field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        values = {
            name: part.get_default(call_default_factory=True)
            for name, part in model.model_fields.items()
            if not part.is_required()
        }
        fields |= flatten(section, to_jsonable_python(values))
    return fields
