"""Commands that look at what a run has found: report, compare, sweep, explain.

Knows what `pipeline.cli` knows.
"""
