"""`tada-loc sweep`: what mAP a trained run would have with other settings of proposals and classes.

Trains nothing and makes no stage's results; knows no command line.
"""
