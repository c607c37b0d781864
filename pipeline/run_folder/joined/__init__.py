"""Many processes at work in one folder: who they are, which video each has claimed, what each has made.

Knows no stage, and nothing of why a video fails.
"""
