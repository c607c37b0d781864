"""The baseline of every stage, written the way the field writes it."""
