"""Runs PostgreSQL's programs as `nobody` when we are root, since they refuse to run as root.

No account is made for it, and the mode of no folder is changed.
"""

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

from local.errors import StackError

_USER = "nobody"

# The user may not enter the folders of root (a home of mode 0700, say) and we change nobody's
# modes: it keeps the one capability that passes them. The kernel's access(2), by which PostgreSQL
# looks for its own programs, heeds it only where the fix-up at a change of user is off.
_KEEPING = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
_FOR_ACCESS = "--securebits=+no_setuid_fixup"


def unprivileged(command: Sequence[str]) -> list[str]:
    """The same command, in the same process, as a user that PostgreSQL accepts."""
    if os.geteuid() != 0:
        return list(command)
    setpriv = shutil.which("setpriv") or shutil.which("setpriv", path=os.defpath)
    if setpriv is None:
        raise StackError(
            "PostgreSQL does not run as root, and setpriv, which starts it as another user, is "
            "missing: apt-get install util-linux, or start Pressroom as a normal user"
        )
    user = pwd.getpwnam(_USER)
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [setpriv, *ids, _FOR_ACCESS, *_KEEPING, "--", *command]


def owned_by_server(folder: Path) -> Path:
    """Makes `folder` for PostgreSQL alone, which insists on owning its data."""
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        user = pwd.getpwnam(_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder
