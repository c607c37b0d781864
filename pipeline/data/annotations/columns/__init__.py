"""What people write in tables: headings, times, encodings, labels spelled twice.

Must not know of annotations' tables, of formats or of the configuration.
"""
