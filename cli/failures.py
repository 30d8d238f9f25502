"""What a command ends with when it cannot do what it was asked, and the exit code of each."""

DONE, FAILED, USAGE, SIGN_IN, INTERRUPTED = 0, 1, 2, 4, 130


class CliFailure(Exception):
    """`message` says what is wrong; `hint` what to do about it."""

    exit_code = FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageFailure(CliFailure):
    """The command was not called as it can be."""

    exit_code = USAGE


class SignInFailure(CliFailure):
    """There is no key, or the server does not take it."""

    exit_code = SIGN_IN


class LineBroken(CliFailure):
    """The server was not reached, or the line broke: what was asked may have been done."""
