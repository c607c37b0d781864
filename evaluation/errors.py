"""What this package raises for input a user can fix; each message is one clear line."""

from __future__ import annotations


class TableError(ValueError):
    """A table or scores that cannot be evaluated: names the table, the row and the fix."""


class SubmissionError(ValueError):
    """A result file its benchmark would not take: names the file, video, row and the fix."""
