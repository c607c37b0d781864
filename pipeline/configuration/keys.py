"""Every key by its dotted name: its default, and what a manifest holds of it.

Whether a key changes a result is marked on the key itself (pipeline/configuration/sections/base.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from feature_extraction.published.names import by_content
from pipeline.configuration.sections.base import (
    ByContent,
    Formerly,
    NoResult,
    OnlyWhere,
    RecordedLater,
    Section,
    StandsFor,
)
from pipeline.configuration.settings import Config


def known_keys() -> list[str]:
    """Every dotted key a configuration may hold."""
    return list(_keys())


def result_fields(section_name: str, settings: Section) -> dict[str, Any]:
    """The keys of a section that change results, by their dotted names, as JSON values.

    Keys of sections inside it are among them, those that say nothing beside other values (OnlyWhere)
    are not. Values that make the same result have one form.
    """
    fields: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        key, value = f"{section_name}.{name}", getattr(settings, name)
        if not all(getattr(settings, mark.key) == mark.value for mark in _only_where(field)):
            continue
        if isinstance(value, Section):
            fields |= result_fields(key, value)
        elif _changes_results(field):
            fields[key] = _one_form(field, to_jsonable_python(value))
    return fields


@cache
def new_names() -> dict[str, str]:
    """The names of keys that were renamed, by their old ones; both are dotted."""
    return {
        f"{key.rpartition('.')[0]}.{mark.name}": key
        for key, field in _keys().items()
        for mark in field.metadata
        if isinstance(mark, Formerly)
    }


@cache
def default_fields() -> dict[str, Any]:
    """The default of every optional key that changes results, as `result_fields` gives it.

    A new key's default does what was done before there was the key, so results made then stay valid.
    """
    return {
        key: _one_form(field, to_jsonable_python(field.get_default(call_default_factory=True)))
        for key, field in _keys().items()
        if _changes_results(field) and not field.is_required()
    }


def restated(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest holds, perhaps an older program's, as `result_fields` would say it today.

    Of the keys of `new`, what is set now, those it lacks have their default, or, where older programs
    did not record them, the current value; keys that change no result are dropped.
    """
    known = _keys()
    fields = {key: value for key, value in default_fields().items() if key in new}
    fields |= {key: new[key] for key in fields if _has(RecordedLater, known[key])}
    for key, value in old.items():
        name = new_names().get(key, key)
        field = known.get(name)
        if field is None:
            fields[name] = value
        elif name not in new and name in _sometimes():  # with the current values
            continue
        elif _changes_results(field):
            fields[name] = _one_form(field, value)
    return fields


@cache
def sections(model: type[BaseModel] = Config, prefix: str = "") -> dict[str, type[BaseModel]]:
    """Every section by its dotted name, those inside others too, in the order of a configuration."""
    found: dict[str, type[BaseModel]] = {}
    for name, field in model.model_fields.items():
        inner = _section_of(field)
        if inner is not None:
            found[prefix + name] = inner
            found |= sections(inner, f"{prefix}{name}.")
    return found


@cache
def _keys(model: type[BaseModel] = Config, prefix: str = "") -> dict[str, FieldInfo]:
    keys: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        inner = _section_of(field)
        if inner is not None:
            keys |= _keys(inner, f"{prefix}{name}.")
        else:
            keys[prefix + name] = field
    return keys


def _changes_results(field: FieldInfo) -> bool:
    return not _has(NoResult, field)


@cache
def _sometimes(model: type[BaseModel] = Config, prefix: str = "", within: bool = False) -> set[str]:
    """The keys that say nothing beside some values of others, they or the section they are in."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        marked, inner = within or bool(_only_where(field)), _section_of(field)
        if inner is not None:
            found |= _sometimes(inner, f"{prefix}{name}.", marked)
        elif marked:
            found.add(prefix + name)
    return found


def _only_where(field: FieldInfo) -> list[OnlyWhere]:
    return [mark for mark in field.metadata if isinstance(mark, OnlyWhere)]


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field is, perhaps one a configuration may do without."""
    parts = [part for part in get_args(field.annotation) if part is not NoneType]
    inner = parts[0] if parts else field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _has(mark: type, field: FieldInfo) -> bool:
    return any(isinstance(found, mark) for found in field.metadata)


def _one_form(field: FieldInfo, value: Any) -> Any:
    for mark in field.metadata:
        if isinstance(mark, StandsFor) and value == mark.name:
            return mark.value
        if isinstance(mark, ByContent) and isinstance(value, str):
            return by_content(value)
        if isinstance(mark, ByContent) and isinstance(value, dict):
            texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in value.items()}
            return {k: text for k, text in texts.items() if k not in ("name", "asked")}
    return value
