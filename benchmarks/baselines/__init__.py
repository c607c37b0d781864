"""The usual form of every stage, written the way the field writes it."""
