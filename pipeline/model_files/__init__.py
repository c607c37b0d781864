"""A trained model as one file, safe to receive from a stranger: written, read, and described.

Knows nothing of videos, of what is written of predictions, and of the command line.
"""
