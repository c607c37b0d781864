"""Commands around videos, annotations, features and result files of one's own and of others.

Knows what `pipeline.cli` knows.
"""
