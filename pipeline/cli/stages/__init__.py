"""Commands that do a stage or several: finetune, extract, bmn, detect, classify, eval, eval-classifier.

Knows what `pipeline.cli` knows.
"""
