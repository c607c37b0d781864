"""`tada-loc doctor`: what is wrong with videos, annotations and settings.

Runs nothing and changes nothing.
"""
