"""Where media files are kept: a folder, or an S3-compatible bucket."""
