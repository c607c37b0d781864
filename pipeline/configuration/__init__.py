"""What a run is told: every key, how a configuration is read and written.

Knows nothing of what is done with a key.
"""
