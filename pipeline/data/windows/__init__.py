"""Windows of features, as the boundary-matching network sees them.

Knows nothing of videos' frames.
"""
