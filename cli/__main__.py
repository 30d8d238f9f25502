"""`pressroom`, or `python -m cli`: runs a command, and ends with its exit code."""

import io
import signal
import sys


def main() -> None:
    """0 done, 1 failed, 2 not called as it can be, 4 not signed in, 130 interrupted."""
    # A script's shell starts what runs in the background with SIGINT ignored; whoever sends it
    # nevertheless means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where an alphabet is small, as on Windows
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    from cli.app import app  # noqa: PLC0415  a Ctrl-C while this is read ends without a traceback
    from cli.failures import FAILED, CliFailure  # noqa: PLC0415
    from cli.output import print_failure  # noqa: PLC0415

    try:
        app(prog_name="pressroom")
    except CliFailure as failure:
        print_failure(failure)
        sys.exit(failure.exit_code)
    except OSError as error:  # of a path that cannot be, or may not be looked at
        print_failure(CliFailure(f"{error.filename or 'A file'}: {error.strerror or error}"))
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
