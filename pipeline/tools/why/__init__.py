"""`tada-loc eval --why`: which errors keep the mAP down, which stage makes them, and what to try.

Gives plain values and their tables; knows no page and no command.
"""
