"""What `make check`, `make test-newest` and `make test-oldest` run beside ruff, mypy and pytest; and `make pictures`.

Standard library only, and nothing of the program: it runs before anything is installed. Pictures alone need both.
"""
