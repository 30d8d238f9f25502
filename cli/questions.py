"""Questions to the person at the terminal; their Ctrl-C ends the command with 130."""

import getpass
import sys

from rich.text import Text

from cli.output import notes


def ask(question: str) -> str:
    """One line. "" where the input has ended."""
    notes().print(Text(f"{question} "), end="")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def ask_secret(question: str) -> str:
    """One line that is not shown."""
    try:
        return getpass.getpass(f"{question} ").strip()
    except EOFError:
        return ""


def confirm(question: str) -> bool:
    """Only a yes is one."""
    return ask(f"{question} [y/N]").casefold() in {"y", "yes"}
