"""Clips of trimmed segments, as training, validation and the classifier's test see them.

Knows nothing of features and windows.
"""
