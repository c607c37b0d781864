"""The sections of a configuration: every key, its type, range and meaning, a section or a group of them a file.

Knows nothing of files, and of no other room.
"""
