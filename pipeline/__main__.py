"""`python -m pipeline` is `tada-loc`."""

from pipeline.cli.commands import main

main()
