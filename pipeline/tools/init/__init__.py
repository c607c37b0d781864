"""`tada-loc init`: from a user's own videos and table to a configuration.

Trains nothing; every choice states its reason.
"""
