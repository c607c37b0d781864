"""What `make check`, `make test-newest` and `make test-oldest` run beside ruff, mypy and pytest.

Standard library only, and nothing of the program: it runs before anything is installed.
"""
