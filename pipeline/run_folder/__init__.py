"""What a run folder contains and how it is written: whole files, manifests, the lock.

Knows no stage by name.
"""
