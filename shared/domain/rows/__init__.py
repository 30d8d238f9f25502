"""From the rows of a request to planned posts, with their errors and warnings."""
