"""What is wrong with a configuration, in one line: the key, its value, and the nearest known key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from pydantic import ValidationError

from pipeline.configuration.keys import known_keys
from pipeline.configuration.sections.urls import masked

_LONGEST = 200  # characters of a value in a message


def first_problem(error: ValidationError) -> tuple[str, str]:
    """The dotted key of what is wrong, and what is reported about it."""
    problems = error.errors(include_url=False)
    # A misspelt key also makes the right one missing: name the misspelling first.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    key = _dotted(problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.5)
        return key, f"unknown key {key}" + (f" (did you mean {near[0]}?)" if near else "")
    if problem["type"] == "missing":
        return key, f"{key} is missing"
    text = problem["msg"].removeprefix("Value error, ")
    text = text[:1].lower() + text[1:]
    if not key:
        return key, text
    if isinstance(problem["input"], Mapping):  # the mistake is between its keys
        return key, f"{key}: {text}"
    return key, f"{key} = {_shown(problem['input'])}: {text}"


def _shown(value: object) -> str:
    text = masked(repr(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _dotted(location: tuple[int | str, ...]) -> str:
    # Below a key pydantic goes on with the names of types and positions, which are not a key of the user's.
    parts = [str(part) for part in location]
    known = known_keys()
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in known:
            return ".".join(parts[:length])
    return ".".join(parts)
