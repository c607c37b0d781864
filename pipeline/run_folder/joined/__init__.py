"""Many processes at work in one folder: who they are, which videos each has claimed, what each has made.

Knows no stage, and not why videos fail.
"""
