"""The description of the API and its documentation page."""
