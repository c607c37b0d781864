"""Documents read as a newcomer reads them: their blocks, links and first sentences, and a small world to follow them in."""
