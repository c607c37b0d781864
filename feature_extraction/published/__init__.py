"""Networks that others publish: their names, what their files say of them, and what they want to be shown.

Knows nothing of the networks themselves: no torch, timm or transformers is imported here.
"""

from feature_extraction.published.description import Description
from feature_extraction.published.names import (
    Published,
    PublishedError,
    needs_extra,
    parse_name,
    without_path,
)

__all__ = [
    "Description",
    "Published",
    "PublishedError",
    "needs_extra",
    "parse_name",
    "without_path",
]
