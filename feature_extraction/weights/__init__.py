"""Weights of others: checkpoint files, the names in them, and where each tensor goes.

Knows nothing of training.
"""
