"""From the rows of a request to planned posts, with what is wrong or doubtful about each."""
