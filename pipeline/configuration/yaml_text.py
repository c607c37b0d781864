"""Text to values and back, by the core schema of YAML 1.2: what looks like a number is a number.

PyYAML follows YAML 1.1, where `1:30` is 90, `0123` is 83, `1_000` is 1000, `1e-3` is text, `yes` is true
and `2024-01-01` is a date. Here the first three, `yes` and the date are text or what they look like.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

_KINDS = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
_FORMS = {kind: re.compile(rf"(?:{form})\Z") for kind, (form, _) in _KINDS.items()}
# Words, numbers and plain paths, which most values of `--set` are: a scalar, whatever YAML's rules.
_PLAIN = re.compile(r"[A-Za-z0-9/_][A-Za-z0-9/_.+-]*\Z")
_SHOWN = 40  # characters of a key that are shown


class RepeatedKeyError(yaml.YAMLError):
    """A key that appears twice in a mapping."""


def read_yaml(text: str) -> Any:
    """The values of a text. Raises YAMLError, RecursionError or ValueError if it is not YAML.

    RepeatedKeyError names a key that appears twice and both lines. Aliases are refused (none is needed, and
    nested ones can fill the memory), and keys that are not text.
    """
    if _PLAIN.match(text):
        return next((_value(kind, text) for kind, form in _FORMS.items() if form.match(text)), text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_repeated(node, ())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def write_yaml(value: Any, *, allow_unicode: bool = True, **form: Any) -> str:
    """Values as text that `read_yaml` gives back; `form` is for yaml.dump."""
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=allow_unicode, **form)
    return text


class _Loader(yaml.SafeLoader):
    """Safe YAML: plain values alone."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(
                "aliases (*name) are not allowed in a configuration; write the values out"
            )
        return super().compose_node(parent, index)

    def plain(self, node: yaml.ScalarNode) -> Any:
        """The value of a scalar of the core schema, named by its tag or found by its look."""
        kind, text = node.tag.rpartition(":")[2], self.construct_scalar(node)
        if not _FORMS[kind].match(text):  # only where the text says so: !!int 1_000
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {text!r} is not a valid {kind}")
        return _value(kind, text)


class _Dumper(yaml.SafeDumper):
    """Quotes text that would be read as another value, by this schema or by YAML 1.1."""


def _value(kind: str, text: str) -> Any:
    if kind in {"null", "bool"}:
        return None if kind == "null" else text.lower() == "true"
    if kind == "int":
        base = {"0o": 8, "0x": 16}.get(text[:2])
        return int(text, 10) if base is None else int(text[2:], base)
    word = text.lower().lstrip("+-")
    if word in {".inf", ".nan"}:
        return math.nan if word == ".nan" else math.copysign(math.inf, -1 if text[0] == "-" else 1)
    return float(text)


def _quoted(dumper: _Dumper, text: str) -> yaml.Node:
    # Escaped: single quotes lose line ends at the end of a text.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _quoted)
_Loader.yaml_implicit_resolvers = {}  # those of YAML 1.1
for _kind, (_, _first) in _KINDS.items():
    _tag = f"tag:yaml.org,2002:{_kind}"
    _Loader.add_implicit_resolver(_tag, _FORMS[_kind], ["" if c == "\0" else c for c in _first])
    _Loader.add_constructor(_tag, _Loader.plain)
    _Dumper.add_implicit_resolver(_tag, _FORMS[_kind], ["" if c == "\0" else c for c in _first])


def _refuse_repeated(node: yaml.Node, path: tuple[str, ...]) -> None:
    """Raises RepeatedKeyError with the dotted name and both lines, and YAMLError for a key that is not text."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated(item, path)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value, line in _keys(node):
        name = ".".join((*path, key if len(key) <= _SHOWN else key[: _SHOWN - 3] + "..."))
        if key in lines:
            raise RepeatedKeyError(
                f"{name} appears twice, in lines {lines[key]} and {line}; keep one"
            )
        lines[key] = line
        _refuse_repeated(value, (*path, key))


def _keys(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, int]]:
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            shown = repr(key.value)[:_SHOWN]
            raise yaml.YAMLError(f"line {line}: the key {shown} is not text; put it in quotes")
        yield key.value, value, line
