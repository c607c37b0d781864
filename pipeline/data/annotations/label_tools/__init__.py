"""Exports of programs people annotate with: each file knows one program's form.

Must not know of subsets, classes or rates: it says what it found.
"""
