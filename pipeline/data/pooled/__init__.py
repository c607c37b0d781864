"""Segments seen through stored features: a mean feature each, and batches of them for a linear classifier.

Knows nothing of videos' files and of networks.
"""
