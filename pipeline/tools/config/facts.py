"""What is known of a key: what is said of it where it is defined, and what follows from its field."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.configuration.keys import known_keys, new_names, sections
from pipeline.configuration.sections.base import PAPERS, NoResult, OnlyWhere
from pipeline.configuration.yaml_text import write_yaml
from pipeline.errors import UsageError
from pipeline.tools.config.key_schemas import key_schemas
from pipeline.tools.config.words import in_words


@dataclass(frozen=True)
class KeyFacts:
    """A key: `kind` is its type and range in words, `default` as YAML ("" where it has to be set).

    `unit`, `paper` and `former`, its old name, are "" where there is none. `changes` says whether it changes results; where it does
    not, `selects` may name what it selects, which is compared by content. `only_where`: the dotted key and the value without which
    it says nothing.
    """

    key: str
    description: str
    kind: str
    default: str
    unit: str
    paper: str
    why: str
    changes: bool
    selects: str
    only_where: tuple[str, str] | None
    former: str

    @property
    def section(self) -> str:
        """The dotted name of the section that it is in."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name in its section."""
        return self.key.rpartition(".")[2]


@cache
def facts_of(key: str) -> KeyFacts:
    """The facts of a key of `known_keys()`."""
    section, _, name = key.rpartition(".")
    model = sections()[section]
    field = model.model_fields[name]
    schema = key_schemas()[key]
    no_result = next((mark for mark in field.metadata if isinstance(mark, NoResult)), None)
    only = next((mark for mark in field.metadata if isinstance(mark, OnlyWhere)), None)
    return KeyFacts(
        key,
        field.description or "",
        in_words(schema),
        as_yaml(schema["default"]) if "default" in schema else "",
        _said(model, name, "unit"),
        _said(model, name, "paper") or _inherited_paper(model, name),
        _said(model, name, "why"),
        no_result is None,
        no_result.selects if no_result is not None else "",
        None if only is None else (f"{section}.{only.key}", as_yaml(only.value)),
        next((old for old, new in new_names().items() if new == key), ""),
    )


def keys_of(section: str) -> list[KeyFacts]:
    """The facts of all keys of a section, those of sections inside it too."""
    return [facts_of(key) for key in known_keys() if key.startswith(f"{section}.")]


def required_name(name: str) -> str:
    """The key or section of today that a name means. Raises UsageError, with the nearest name, for none."""
    name = new_names().get(name, name)
    known = [*known_keys(), *sections()]
    if name in known:
        return name
    near = _nearest(name, known)
    hint = f"did you mean {near}?" if near else "--explain dataset lists the keys of a section"
    raise UsageError(f"--explain {name}: no key and no section; {hint}")


def _nearest(name: str, known: list[str]) -> str:
    """The key or section that a name may mean, which may lack its section; "" for none."""
    last = {key.rpartition(".")[2]: key for key in reversed(known)}
    if name in last:
        return last[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return next(iter(near or [last[one] for one in difflib.get_close_matches(name, last, n=1)]), "")


def as_yaml(value: Any) -> str:
    """A JSON value as one writes it behind a key: 30 for 30.0."""
    text = write_yaml(
        {"k": _short(value)}, default_flow_style=True, width=math.inf, sort_keys=False
    )
    return text.strip().removeprefix("{k:").removesuffix("}").strip()


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(one) for one in value]
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def section_text(model: type[BaseModel]) -> str:
    """What a section says of itself, in one line."""
    return " ".join((model.__doc__ or "").split())


def whole_papers(paper: str) -> list[str]:
    """The papers that a key's `paper` names, each once, in full."""
    names = dict.fromkeys(part.strip().split(" ")[0] for part in paper.split(",") if part.strip())
    return [f"{name}: {PAPERS[name]}" for name in names]


def _said(model: type[BaseModel], name: str, what: str) -> str:
    """What is said of a key by its class, or by the nearest one that it takes the key over from."""
    for one in model.__mro__:
        field = getattr(one, "model_fields", {}).get(name)
        extra = field.json_schema_extra if isinstance(field, FieldInfo) else None
        if isinstance(extra, dict) and extra.get(what):
            return str(extra[what])
    return ""


def _inherited_paper(model: type[BaseModel], name: str) -> str:
    papers: dict[str, str] = getattr(model, "papers", {})
    return papers.get(name, "")
