"""Every link of every document leads somewhere: files, headings, pictures with a text; addresses are https."""

from __future__ import annotations

import pytest
from helpers.documents.links import Link, anchors_of, links_of, problem_of, slug
from helpers.documents.reading import name_of, pages
from helpers.paths import ROOT

DOCUMENTS = [*pages(), ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path):
    said = [
        f"{name_of(path)}:{link.line}: {problem}"
        for link in links_of(path)
        if (problem := problem_of(path, link))
    ]
    if said:
        pytest.fail("\n".join(said), pytrace=False)


def test_every_form_of_link_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n[a](a.md) ![two words](b.png) [![in link](c.png)](d.md) `[code](e.md)`\n"
        '<img src="f.png" alt="a picture"> <a href="g.md">g</a> <source srcset="h.png">\n'
        '[i]: https://i.org\nhttps://j.org/k. ``[a `b`](l.md)`` [with `code`](m.md#n "title")\n'
        "```sh\n[o](p.md)\n```\n"
    )
    found = {link.target for link in links_of(page)}
    names = {"a.md", "b.png", "c.png", "d.md", "f.png", "g.md", "h.png", "https://i.org"}
    assert found == {*names, "https://j.org/k.", "m.md#n"}


@pytest.mark.parametrize(
    ("target", "alternative", "said"),
    [
        ("README.md", None, None),
        ("README.md#nothing-of-this-name", None, "README.md has no heading"),
        ("docs/nothing.md", None, "is not there"),
        ("../outside.md", None, "is not there"),
        ("docs/pictures/demo.png", "Detections of four videos", None),
        ("docs/pictures/demo.png", "", "needs an alternative text"),
        ("https://github.com/a/b#c", None, None),
        ("http://example.org", None, "is no https address"),
        ("http://localhost:8080", None, None),
        ("https://", None, "is no https address"),
        ("https://no host/", None, "is no https address"),
    ],
)
def test_what_is_wrong_is_found(target, alternative, said):
    found = problem_of(ROOT / "README.md", Link(1, target, alternative))
    assert (found is None) if said is None else said in (found or "")


def test_anchors_are_those_of_github(tmp_path):
    assert slug("Start it") == "start-it"
    assert slug("`bmn.boundary_center`: where labels lie") == "bmnboundary_center-where-labels-lie"
    assert slug("Slurm: two machines, of [eight](a.md) GPUs") == "slurm-two-machines-of-eight-gpus"
    page = tmp_path / "page.md"
    page.write_text("# One\n\n## Two\n\n## Two\n\n(label)=\n\n```sh\n# no heading\n```\n")
    assert anchors_of(page) == {"one", "two", "two-1", "label"}
    (tmp_path / "generated.md").write_text("# One\n\n```{click} pipeline\n```\n")
    assert anchors_of(tmp_path / "generated.md") is None
