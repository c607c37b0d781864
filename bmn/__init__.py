"""Features to proposals: the boundary-matching network."""
