"""Pages a browser opens from disk: one file each, without a network. What they show, they are given as values.

Knows nothing of runs, of model files, of other writers and of the command line.
"""
