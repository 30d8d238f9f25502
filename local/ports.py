"""Chooses TCP ports on the loopback address."""

import random
import socket

from local.errors import StackError

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel numbers outgoing connections: a server that is started again
# finds its port free, and a client that keeps dialling a dead server never connects to itself.
_CHOICE = range(20_000, 32_000)

# A server listens seconds after its port was chosen, and until then nothing is seen on that port.
# So who chooses one holds a UDP port for it, so many numbers lower, until it ends: no two choices
# are the same, neither of one process nor of two. (HTTP/3 needs the UDP port of the same number.)
_LOWER = 12_000
_kept: list[socket.socket] = []


def free_port() -> int:
    """One that is free, and that nobody else gets from here while this process lives."""
    for port in random.sample(_CHOICE, k=200):
        if is_free(port) and _keep(port):
            return port
    raise StackError(f"no free port on {LOOPBACK} between {_CHOICE.start} and {_CHOICE.stop}")


def same_port(last: int | None) -> int:
    """The one of the last run if it is free: addresses that people have saved still lead there."""
    return last if last and is_free(last) and _keep(last) else free_port()


def _keep(port: int) -> bool:
    if port not in _CHOICE:
        return False
    keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        keeper.bind((LOOPBACK, port - _LOWER))
    except OSError:
        keeper.close()
        return False
    _kept.append(keeper)
    return True


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def wanted_port(name: str, text: str) -> int:
    """The port that the setting `name` asks for; `0` chooses a free one."""
    if not text.isdecimal() or int(text) > 65_535:
        raise StackError(f"{name} is {text!r}: it must be a port number, or 0 for a free one")
    port = int(text) or free_port()
    if not is_free(port):
        raise StackError(
            f"port {port} is taken: set {name} to another port, or to 0 for a free one"
        )
    return port
