"""The networks that are trained: built from their settings, loaded, and their losses as the loop takes them.

Knows nothing of what a training's samples are and of the loop.
"""
