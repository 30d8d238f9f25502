"""Unit tests open no socket: one that tries fails. And none is judged by how quick it is."""

import socket
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

#: Hypothesis gives an example 200 ms by itself, which other work on the machine may take away.
settings.register_profile("at work", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("at work")


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        pytest.fail("a unit test opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
