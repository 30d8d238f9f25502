"""The documentation as a site: `python -m local.docs_site`, which is `make docs`."""
