"""Features of videos: those of a run with the times they stand for, whatever made them.

Knows nothing of windows and networks.
"""

IMPORTED = (
    "imported"  # a field, and the backbone, weights and precision, of features from elsewhere
)
FEATURES = "features"  # the folder of feature files in the extract stage's
