"""Annotation files of other programs: opened safely, gathered into one table of segments.

Must not know of any one format; `formats.py` of the room above does.
"""
