"""`python -m pipeline` is `tada-loc`."""

from pipeline.cli import main

main()
