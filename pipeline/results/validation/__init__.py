"""How well a detector's network does on samples it is not trained on: the terms of its loss.

Knows nothing of where the samples come from.
"""
