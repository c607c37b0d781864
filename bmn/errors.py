"""The one error this package raises for input a user can fix."""

from __future__ import annotations


class BMNError(ValueError):
    """Arguments, maps or weights that the boundary-matching network cannot use; one clear line."""
