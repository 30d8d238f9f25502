"""From a folder or a CSV file to one job, once."""
