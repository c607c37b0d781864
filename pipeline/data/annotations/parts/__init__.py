"""What several readers need: ids from the names of files, rates of frames, who validates where no one says.

Must not know of any one format.
"""
