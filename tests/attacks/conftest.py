"""What the attacks on a web process share."""

from collections.abc import Iterator

import pytest

from local.valkey import Valkey
from tests.servers.web_server import Server, serving


@pytest.fixture(scope="module")
def server(
    module_database_url: str, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The real server, for the attacks of one file."""
    folder = tmp_path_factory.mktemp("attacked")
    with serving(module_database_url, valkey_server.url(), folder) as running:
        yield running
