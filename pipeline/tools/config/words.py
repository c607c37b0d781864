"""A JSON Schema in words: the type of a key, and which values it takes."""

from __future__ import annotations

import re
from typing import Any

from pipeline.configuration.sections.base import LARGEST, LARGEST_SEED

_TYPES = {"integer": "whole number", "number": "number", "boolean": "true or false"}
_FORMATS = {"path": "path", "place": "path or address"}


def in_words(schema: dict[str, Any]) -> str:
    """What values a schema takes: `whole number above 0, or null`."""
    parts = _parts(schema)
    if len(parts) == 1:
        return parts[0]
    if all(part.startswith("`") or part == "null" for part in parts):
        return f"{', '.join(parts[:-1])} or {parts[-1]}"
    return f"{', '.join(parts[:-1])}, or {parts[-1]}"


def _parts(schema: dict[str, Any]) -> list[str]:
    if "anyOf" in schema:
        return [part for one in schema["anyOf"] for part in _parts(one)]
    if "enum" in schema:
        return [f"`{value}`" for value in schema["enum"]]
    if "const" in schema:
        return [f"`{schema['const']}`"]
    kind = str(schema.get("type"))
    if kind == "array":
        return [_list(schema)]
    if kind == "object":
        return ["mapping"]
    if kind in {"integer", "number"}:
        return [f"{_TYPES[kind]}{_range(schema)}"]
    if kind == "string":
        return [_FORMATS.get(schema.get("format", ""), "text")]
    return [_TYPES.get(kind, kind)]


def _list(schema: dict[str, Any]) -> str:
    items = schema["items"]
    if isinstance(items, list):
        words = [in_words(one) for one in items]
        same = len(set(words)) == 1
        return f"list of {len(words)} {_plural(words[0])}" if same else f"list: {'; '.join(words)}"
    most = schema.get("maxItems")
    count = "" if most is None else f"{schema.get('minItems', 0)} to {most} "
    return f"list of {count}{_plural(in_words(items))}"


def _plural(words: str) -> str:
    words = re.sub(r"\b(number|path|text|list)\b", r"\1s", words)
    return words.replace("address", "addresses")


def _range(schema: dict[str, Any]) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if high in {LARGEST, LARGEST_SEED}:  # as far as arrays are counted: nobody asks for more
        high = None
    if low is not None and above is not None:  # the one that says more
        low, above = (low, None) if low > above else (None, above)
    if low is not None and high is not None:
        return f" from {_text(low)} to {_text(high)}"
    ends = (("above", above), ("at least", low), ("at most", high), ("below", below))
    said = [f"{word} {_text(end)}" for word, end in ends if end is not None]
    return " " + " and ".join(said) if said else ""


def _text(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
