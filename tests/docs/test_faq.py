"""docs/help/faq.md: each question has a short answer."""

from __future__ import annotations

from helpers.documents.parts import sections_of
from helpers.paths import ROOT


def test_each_question_has_an_answer():
    questions = sections_of((ROOT / "docs" / "help" / "faq.md").read_text(), level=3)
    assert len(questions) >= 15 and all(question.endswith("?") for question in questions)
    assert all(answer.strip() for answer in questions.values())
    assert max(len(answer.split()) for answer in questions.values()) < 100
