"""Blocks that are not run are read: fragments of configurations, JSON, tables, BibTeX, Python that is a file."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

import yaml

from helpers.documents.reading import Block
from pipeline.configuration.reading import SHIPPED, read_config
from pipeline.configuration.yaml_text import read_yaml, write_yaml
from pipeline.errors import UserError

BASES = (
    "small",
    "ek100",
)  # a fragment is one of a configuration of segments, or of verbs and nouns


def problem_of(block: Block) -> str | None:
    """What is wrong with a block's form; None where nothing is."""
    try:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "csv":
            return _table(block.text)
        elif block.language == "python":
            compile(block.text, block.page, "exec")
        elif block.language == "bibtex":
            return _bibtex(block.text)
        elif block.language == "yaml":
            return _yaml(block)
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        return str(error)
    return None


def _table(text: str) -> str | None:
    rows = list(csv.reader(text.splitlines()))
    if len({len(row) for row in rows}) != 1:
        return f"rows of {sorted({len(row) for row in rows})} fields"
    return None


def _bibtex(text: str) -> str | None:
    if not re.match(r"@\w+\{[\w:.-]+,\n", text) or text.count("{") != text.count("}"):
        return "no BibTeX: @type{key, with as many { as }"
    return None


def _yaml(block: Block) -> str | None:
    """A cluster's file only has to be YAML; anything else is a fragment of a configuration."""
    if "cluster" in block.needs:
        list(yaml.safe_load_all(block.text))
        return None
    data = read_yaml(block.text)
    if not isinstance(data, dict):
        return "no sections"
    said = [problem for base in BASES if (problem := _fragment(data, base))]
    return said[0] if len(said) == len(BASES) else None


def _fragment(data: dict[str, Any], base: str) -> str | None:
    whole: dict[str, Any] = read_yaml((SHIPPED / f"{base}.yaml").read_text())
    for section, values in data.items():
        if isinstance(values, dict) and isinstance(whole.get(section), dict):
            whole[section] = {**whole[section], **values}
        else:
            whole[section] = values
    try:
        read_config(write_yaml(whole), SHIPPED / f"{base}.yaml", quiet=True)
    except UserError as error:
        return error.message
    return None
