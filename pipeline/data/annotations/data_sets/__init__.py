"""The published forms of data sets that are neither a table nor ActivityNet's JSON, a file each.

Must not know of classes, hold-out or rates: it says what it found.
"""
