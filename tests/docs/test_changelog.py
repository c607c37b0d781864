"""CHANGELOG.md has the form of Keep a Changelog, so that people and programs find what a release changes."""

from __future__ import annotations

import datetime
import re

import pytest
from helpers.documents.parts import sections_of
from helpers.paths import ROOT
from helpers.releases import released
from packaging.version import Version

TEXT = (ROOT / "CHANGELOG.md").read_text()
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def kinds(section):
    return re.findall(r"^### (.+)$", section, flags=re.MULTILINE)


def test_unreleased_comes_first_then_releases_with_their_day():
    headings = list(sections_of(TEXT))
    assert headings[0] == "[Unreleased]"
    assert len(headings) == len(set(headings))
    for heading in headings[1:]:
        match = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})", heading)
        assert match, f"{heading}: write ## [1.2.3] - YYYY-MM-DD"
        datetime.date.fromisoformat(match[2])


def test_the_newest_release_stands_first():
    versions = [Version(version) for version, _ in released(TEXT)]
    assert versions == sorted(versions, reverse=True) and len(versions) == len(set(versions))


@pytest.mark.parametrize("heading", sections_of(TEXT))
def test_kinds_of_changes_are_the_known_ones_in_their_order_and_not_empty(heading):
    section = sections_of(TEXT)[heading]
    found = kinds(section)
    assert found == [kind for kind in KINDS if kind in found], "one each, in this order"
    parts = re.split(r"^### .+$", section, flags=re.MULTILINE)
    assert not parts[0].strip()
    for kind, part in zip(found, parts[1:], strict=True):
        lines = part.strip().splitlines()
        assert lines, f"{heading}, {kind}: nothing in it"
        for line in lines:  # entries, and what goes on of them
            assert line.startswith(("- ", "  ")), line
            assert len(line) <= 190, line


def test_entries_are_short():
    """An entry says what changed; how it works stands in a document."""
    entries = re.split(r"^- ", TEXT, flags=re.MULTILINE)[1:]
    assert max(len(entry.splitlines()) for entry in entries) <= 4


def test_the_releases_of_an_example_are_read():
    text = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2027-02-01\n\n## [0.1.0] - 2026-12-01\n"
    assert released(text) == [("0.2.0", "2027-02-01"), ("0.1.0", "2026-12-01")]
