"""The work of each stage, a file each; the table of them is pipeline/runs/graph.py.

Knows nothing of the command line.
"""
