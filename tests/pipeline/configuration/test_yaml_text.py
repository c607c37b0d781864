"""YAML by the core schema of 1.2: numbers are what a reader takes for numbers, and a key stands once."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration.yaml_text import RepeatedKeyError, read_yaml, write_yaml

# The examples of the YAML 1.2.2 specification (10.3.2), and what YAML 1.1 makes another value of.
VALUES = [
    ("null", None), ("Null", None), ("~", None), ("", None), ("nul", "nul"),
    ("true", True), ("FALSE", False), ("tRue", "tRue"),
    ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
    ("0", 0), ("-19", -19), ("+12", 12), ("0123", 123), ("08", 8),
    ("0o7", 7), ("0o17", 15), ("0x3A", 58), ("0x1F", 31), ("0b11", "0b11"), ("0o8", "0o8"),
    ("1_000", "1_000"), ("1_0.5", "1_0.5"),
    ("1:30", "1:30"), ("1:30.5", "1:30.5"), ("190:20:30", "190:20:30"),
    ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0),
    ("1e3", 1000.0), ("1e-3", 0.001), ("1.e1", 10.0), ("e3", "e3"), (".", "."), ("1e", "1e"),
    (".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf), ("inf", "inf"),
    ("2024-01-01", "2024-01-01"), ("=", "="), ("'1'", "1"), ("!!str 1", "1"), ("!!float 1", 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_scalar_is_read_by_the_core_schema(text, value):
    found = read_yaml(text)
    assert (type(found), repr(found)) == (type(value), repr(value))
    assert read_yaml(f"[{text}]" if text else "- ") == [value]


@given(st.from_regex(r"[019abtTn/_][0189abotTrRuUlLnexX/_.+-]*", fullmatch=True))
def test_plain_text_is_read_as_in_a_document(text):
    """What has a way of its own, for speed, has the value that all YAML's rules give it."""
    (in_document,), found = read_yaml(f"- {text}"), read_yaml(text)
    assert (type(found), repr(found)) == (type(in_document), repr(in_document))


def test_what_is_not_a_number_is_nan():
    assert math.isnan(read_yaml(".nan"))


@pytest.mark.parametrize(
    "text", ["!!int 1_000", "!!int 1:30", "!!bool yes", "!!float x", "!!null x"]
)
def test_a_tag_makes_no_number_of_what_is_none(text):
    with pytest.raises(yaml.YAMLError, match="line 1: .* is not a valid "):
        read_yaml(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "a appears twice, in lines 1 and 3"),
        ("a: 1\n'a': 3\n", "a appears twice, in lines 1 and 2"),
        ("s:\n  b: 1\n  c: 2\n\n  b: 1\n", "s.b appears twice, in lines 2 and 5"),
        ("s: [{b: {c: 1, c: 2}}]", "s.b.c appears twice, in lines 1 and 1"),
        ("s: {}\ns:\n  b: 1\n", "s appears twice, in lines 1 and 2"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(text, said):
    with pytest.raises(RepeatedKeyError) as caught:
        read_yaml(text)
    assert said in str(caught.value)


def test_a_name_may_stand_in_two_sections():
    assert read_yaml("a: {c: 1}\nb: {c: 2}\nd: [{c: 1}, {c: 2}]") == {
        "a": {"c": 1}, "b": {"c": 2}, "d": [{"c": 1}, {"c": 2}],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["1: 2", "{0.5: 3}", "? [a]\n: 1", "null: 1", "true: 1"])
def test_a_key_is_text(text):
    with pytest.raises(yaml.YAMLError, match="line 1: the key .* is not text"):
        read_yaml(text)


def test_a_merge_is_a_key_as_any_other():
    assert read_yaml("<<: {a: 1}") == {"<<": {"a": 1}}


TEXTS = ["yes", "1:30", "1e-3", "null", "", "~", "0123", "0o17", "1_000", "2024-01-01", "true"]
TEXTS += [
    "=",
    "<<",
    ".inf",
    "x: y",
    "# a",
    " a ",
    "a\n",
    "a\n\n b",
    "a\x85",
    "\u2028",
    "\udc80",
    "-",
]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text(max_size=12) | st.sampled_from(TEXTS)
)  # fmt: skip


@given(
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_what_is_written_is_read_back(value):
    for form in ({}, {"default_flow_style": True, "width": 10_000}):
        text = write_yaml({"key": value}, sort_keys=False, **form)
        assert repr(read_yaml(text)) == repr({"key": value})


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text_for_readers_of_yaml_1_1_too(text):
    assert read_yaml(write_yaml([text])) == yaml.safe_load(write_yaml([text])) == [text]
