"""The pictures of docs/pictures, each made by a script here: `python -m checks.pictures [NAME...]`.

Knows nothing of tests; what is drawn of a run is read from its folder.
"""
