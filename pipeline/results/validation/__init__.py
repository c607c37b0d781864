"""The loss of a detector's network on samples it is not trained on: the terms of its loss.

Knows nothing of where the samples come from.
"""
