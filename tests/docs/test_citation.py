"""CITATION.cff and docs/help/citing.md say the same, and the version is that of the newest release."""

from __future__ import annotations

import re

import yaml
from helpers.paths import ROOT
from helpers.releases import released

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
PAGE = (ROOT / "docs" / "help" / "citing.md").read_text()
FIELD = re.compile(r"^  (\w+) = \{(.*)\}(,?)$")


def bibtex():
    """The entries of the page: key -> type and fields."""
    entries = {}
    for block in re.findall(r"```bibtex\n(.*?)```", PAGE, re.DOTALL):
        for entry in re.findall(r"^@.*?^\}$", block, re.DOTALL | re.MULTILINE):
            first, *lines, last = entry.splitlines()
            kind, key = re.fullmatch(r"@(\w+)\{([a-z0-9]+),", first).groups()
            found = [FIELD.match(line) for line in lines]
            assert all(found), f"{key}: a line that is no field"
            assert [match[3] for match in found] == [","] * (len(found) - 1) + [""], key
            assert last == "}" and key not in entries
            assert entry.count("{") == entry.count("}"), key
            entries[key] = {"kind": kind} | {match[1]: match[2] for match in found}
    return entries


def family_names(authors):
    return [re.sub(r"\{\\'a\}", "á", author.split(",")[0]) for author in authors.split(" and ")]


def identifier(reference):
    return [one["value"] for one in reference.get("identifiers", [])]


def test_every_paper_stands_in_both_with_the_same_facts():
    papers = {key: entry for key, entry in bibtex().items() if entry["kind"] == "inproceedings"}
    references = {reference["title"]: reference for reference in CITATION["references"]}
    assert {entry["title"].strip("{}") for entry in papers.values()} == set(references)
    assert len(papers) == len(references) >= 10
    for key, entry in papers.items():
        reference = references[entry["title"].strip("{}")]
        authors = [author["family-names"] for author in reference["authors"]]
        assert family_names(entry["author"]) == authors
        assert (entry["year"], entry["booktitle"]) == (
            str(reference["year"]),
            reference["collection-title"],
        )
        assert entry.get("doi") == reference.get("doi")
        eprint = entry.get("eprint")
        assert identifier(reference) == ([f"arXiv:{eprint}"] if eprint else [])
        pages = [str(reference[name]) for name in ("start", "end") if name in reference]
        assert entry.get("pages", "").split("--") == (pages or [""])
        assert re.match(r"[a-z]+(\d{4})", key)[1] == entry["year"]


def test_each_key_stands_in_the_table_of_parts():
    rows = re.findall(r"^\| .* \| (.+) \| `(\w+)` \|$", PAGE, re.MULTILINE)
    entries = bibtex()
    assert [key for _, key in rows] == [
        key for key, entry in entries.items() if entry["kind"] == "inproceedings"
    ]
    for cited, key in rows:
        first = family_names(entries[key]["author"])[0]
        assert cited == f"{first} et al. {entries[key]['year']}"


def test_what_identifies_a_paper_has_the_form_of_it():
    for entry in bibtex().values():
        assert re.fullmatch(r"10\.\d{4,}/\S+", entry.get("doi", "10.1000/x"))
        assert re.fullmatch(r"\d{4}\.\d{5}", entry.get("eprint", "0000.00000"))


def test_the_citation_names_the_newest_release_and_no_version_before_the_first():
    releases = released((ROOT / "CHANGELOG.md").read_text())
    if not releases:
        assert "version" not in CITATION and "date-released" not in CITATION
        return
    number, day = releases[0]
    assert CITATION["version"] == number and str(CITATION["date-released"]) == day
