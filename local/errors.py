"""What the embedded stack tells its user when it cannot go on."""


class StackError(Exception):
    """Something a person has to put right; the message says what and how."""
