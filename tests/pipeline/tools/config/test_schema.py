"""The JSON Schema takes what the program takes, and refuses what it refuses."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import TypeAdapter, ValidationError

from pipeline.configuration.keys import known_keys, new_names, sections
from pipeline.configuration.reading import SHIPPED, read_config
from pipeline.configuration.yaml_text import read_yaml
from pipeline.errors import UsageError
from pipeline.tools.config.facts import facts_of
from pipeline.tools.config.key_schemas import key_schemas
from pipeline.tools.config.schema import DRAFT, configuration_schema

SCHEMA = configuration_schema()
VALIDATOR = Draft7Validator(SCHEMA)
HACS = read_yaml((SHIPPED / "hacs.yaml").read_text())
# What a text has to be is not in the schema: thresholds, patterns of names, addresses.
TEXTS = {"eval.iou", "eval.paper_iou", "dataset.frames"}


def within(key: str, value: Any) -> dict[str, Any]:
    """The sections of `hacs` with another value of a key."""
    data = copy.deepcopy(HACS)
    *path, name = key.split(".")
    inner = data
    for section in path:
        inner = inner.setdefault(section, {})
    inner[name] = value
    return data


def taken(data: Any) -> bool:
    """Whether the program reads a configuration."""
    try:
        read_config(yaml.safe_dump(data), SHIPPED / "hacs.yaml", quiet=True)
    except UsageError:
        return False
    return True


def test_it_is_a_schema_of_draft_7_without_references():
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DRAFT

    def walk(value: Any) -> None:
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                walk(inner)
        if isinstance(value, dict):
            assert "$ref" not in value and "prefixItems" not in value
            assert not {"gt", "ge", "lt", "le"} & value.keys()
            if value.get("type") == "object" and "properties" in value:
                assert value["additionalProperties"] is False and value["description"]

    walk(SCHEMA)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(path):
    assert list(VALIDATOR.iter_errors(read_yaml(path.read_text()))) == []


def test_every_key_is_in_it_with_what_is_said_of_it():
    for key in known_keys():
        found = SCHEMA
        for name in key.split("."):
            found = next((one for one in found.get("anyOf", ()) if "properties" in one), found)
            found = found["properties"][name]
        facts = facts_of(key)
        assert facts.description in found["description"] and facts.why in found["description"]
        assert ("default" in found) == bool(facts.default)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bmn.epoch", 3), ("nothing", {}), ("finetune.augment.mixing", 1), ("bmn.epochs", "3"), ("bmn.epochs", 0),
        ("bmn.epochs", True), ("bmn.epochs", 2.5), ("bmn.epochs", 2**31), ("bmn.regression", 1), ("bmn.regression", "yes"),
        ("finetune.fps", 0), ("finetune.fps", -1), ("dataset.hold_out", 1), ("proposals.voting", 0), ("bmn.boundary_center", 0.4),
        ("bmn.keep_maps", -1), ("finetune.short_side", [256]), ("finetune.short_side", [256, 320, 340]),
        ("finetune.augment.rand_augment", [2, 31]), ("backbone.kernels", []), ("backbone.kernels", [1, 2, 3]),
        ("finetune.crop", "half"), ("extract.decoder", "ffmpeg"), ("eval.iou", [0]), ("eval.iou", 1.5), ("eval.sls", [1, 2]),
        ("dataset.name", None), ("dataset.annotations", {"a": 1}), ("runtime.log", "csv"), ("backbone", None),
        ("eval.paper", {"mAP": {"0.5": "x"}}), ("actionformer.levels", 17), ("actionformer.crop_ratio", [0.5, 1.5]),
    ],
)  # fmt: skip
def test_what_the_program_refuses_is_refused(key, value):
    data = within(key, value)
    assert not taken(data) and not VALIDATOR.is_valid(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bmn.epochs", 3.0), ("bmn.keep_maps", True), ("bmn.keep_maps", 10**9), ("bmn.boundary_center", 0.5), ("extract", None),
        ("finetune.crop", "whole"), ("backbone.depth", [1, 1, 1, 1]), ("eval.iou", "0.1:0.1:0.5"), ("eval.iou", [0.5]),
        ("dataset.annotations", ["a.csv", "s3://bucket/b.csv"]), ("proposals.count", None), ("dataset.cache", "/scratch"),
        ("actionformer.window", [9, 9, 9, 9, 9, 0]), ("actionformer.crop_ratio", [0.5, 1]), ("runtime.log", ["csv"]),
    ],
)  # fmt: skip
def test_what_the_program_takes_is_taken(key, value):
    data = within(key, value)
    assert taken(data) and VALIDATOR.is_valid(data)


def test_a_key_that_is_required_is_required():
    for section, keys in HACS.items():
        for name in keys:
            data = copy.deepcopy(HACS)
            del data[section][name]
            assert VALIDATOR.is_valid(data) == (f"{section}.{name}" in with_defaults()), name


def with_defaults() -> set[str]:
    """The keys that can be left out."""
    return {key for key in known_keys() if facts_of(key).default}


@pytest.mark.parametrize("old", sorted(new_names()))
def test_a_renamed_key_is_still_valid_and_marked(old):
    section, _, name = old.partition(".")
    found = SCHEMA["properties"][section]
    found = next((one for one in found.get("anyOf", ()) if "properties" in one), found)
    marked = found["properties"][name]
    assert marked["deprecated"] is True
    assert new_names()[old].rpartition(".")[2] in marked["deprecationMessage"]
    assert VALIDATOR.is_valid(within("finetune.recompute", True))
    assert not VALIDATOR.is_valid(within("finetune.recompute", "no"))


plain = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 40), st.integers(-(2**70), 2**70),
    st.floats(-2, 40, allow_nan=False), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 1, 0.5, 1.0, -1, 224, 2**31 - 1, 2**31, 2**63, "auto", "whole", "last", "best", "own", "sgd", "float32", "csv", ""]),
    st.text(max_size=3),
)  # fmt: skip
values = st.one_of(
    plain,
    st.lists(plain, max_size=4),
    st.lists(st.lists(plain, max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), plain, max_size=2),
)
ADAPTERS = {
    key: TypeAdapter(Annotated[field.annotation, "a key", *field.metadata])
    for key in known_keys()
    for field in [sections()[key.rpartition(".")[0]].model_fields[key.rpartition(".")[2]]]
    if key not in TEXTS | {"backbone.published"}
}
CHECKS = {key: Draft7Validator(key_schemas()[key]) for key in ADAPTERS}


@settings(max_examples=150, deadline=None)
@given(values)
def test_both_say_the_same_of_any_value_of_any_key(value):
    for key, adapter in ADAPTERS.items():
        try:
            adapter.validate_python(value)
            fits = True
        except ValidationError:
            fits = False
        assert CHECKS[key].is_valid(value) == fits, (key, value)
