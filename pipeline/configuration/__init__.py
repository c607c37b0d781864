"""What a run is told: every key, how a configuration is read, which one a command uses.

Knows nothing of what is done with a key.
"""
