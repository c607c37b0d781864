"""The settings of a run: every key, how a configuration is read and written.

Knows nothing of what is done with a key.
"""
