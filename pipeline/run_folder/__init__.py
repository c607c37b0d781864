"""What lies in a run folder and how it gets there: files written whole, manifests, the lock.

Knows no stage by name.
"""
