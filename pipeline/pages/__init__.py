"""Pages a browser opens from disk: one file each, without a network. They are given what they show as values.

Knows nothing of runs, of model files, of other writers and of the command line.
"""
