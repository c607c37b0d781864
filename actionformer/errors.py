"""The one error this package raises for input a user can fix."""

from __future__ import annotations


class ActionFormerError(ValueError):
    """Arguments, features, targets or weights that ActionFormer cannot use; one clear line."""
