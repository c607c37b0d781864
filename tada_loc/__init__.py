"""The face of tada-loc for a notebook."""
