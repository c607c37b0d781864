"""`tada-loc config`: what a configuration may hold, what each key means, and what a run will use.

All of it follows from the keys where they are defined (pipeline/configuration); knows nothing of a run's results.
"""
