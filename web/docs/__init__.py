"""The documentation as a site, as Markdown, and as an index for programs that read."""
