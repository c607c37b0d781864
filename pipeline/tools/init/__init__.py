"""`tada-loc init`: from someone's own videos and table to a configuration.

Trains nothing; every choice says its reason.
"""
