"""The stages: one table of them, the run that opens them, and a file for the work of each.

Knows nothing of the command line.
"""
