"""The command line: words to a run, results to lines.

The only room that knows click and prints to standard output.
"""
