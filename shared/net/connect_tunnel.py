"""CONNECT: makes a proxy open a tunnel, through which TLS goes to the host itself.

If this fails, no byte of a request was sent: the request comes after TLS.
"""

import http.client
import socket

from shared.http_address import bracket_host

#: The proxy answers after it has connected to the host, so this takes longer than one connection.
ANSWER_SECONDS = 10.0
_WHOSE = "the proxy (PRESSROOM_PROXY_URL)"


class Unreachable(Exception):
    """There is no connection, so certainly nothing was sent. `code`: the kind, if it has one."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


def open_tunnel(sock: socket.socket, host: str, port: int, authorization: str | None) -> None:
    """Raises `Unreachable` unless what is sent on `sock` from now on goes to the host."""
    target = f"{bracket_host(host)}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if authorization:
        lines.append(f"Proxy-Authorization: {authorization}")
    patience = sock.gettimeout()
    sock.settimeout(ANSWER_SECONDS)
    try:
        sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        status = _status_of_answer(sock)
    except TimeoutError as error:
        raise Unreachable(f"{_WHOSE} did not connect to {target} in time") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(
            f"{_WHOSE} ended the connection to {target}, or does not speak HTTP"
        ) from error
    finally:
        sock.settimeout(patience)
    if status == 407:
        raise Unreachable(f"{_WHOSE} wants a user name and a password, or refuses them (407)")
    if not 200 <= status < 300:
        raise Unreachable(f"{_WHOSE} did not connect to {target}: it answered {status}")


def _status_of_answer(sock: socket.socket) -> int:
    """Reads no further than the head: the host sends nothing before we do."""
    answer = http.client.HTTPResponse(sock, method="CONNECT")
    try:
        answer.begin()
        return answer.status
    finally:
        answer.close()
