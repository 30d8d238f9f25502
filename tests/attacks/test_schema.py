"""Attack 11: requests made from /openapi.json, right and wrong ones, by two kinds of keys.

No answer is a 5xx or one that is not described, and nothing is accepted that breaks the
description. `make fuzz` makes thousands of each.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from local.sandbox.process import start_sandbox
from local.valkey import Valkey
from tests.servers.api import ADMIN_KEY, PREFIX, Api
from tests.servers.settings import make_settings
from tests.timing.sandbox_timings import QUICK

#: Requests for each operation and key.
CASES = int(os.environ.get("PRESSROOM_FUZZ_CASES", "2"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
#: An event stream has no end; and whether the workers run, which is a 503 here, is no fault.
LEFT_OUT = ("/jobs/{id}/events", "/health/ready")


@schemathesis.serializer("application/offset+octet-stream")
def write_bytes(_context: Any, value: Any) -> bytes:
    """The bytes of a resumable upload."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def api(
    module_database_url: str, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("fuzzed")
    with start_sandbox(home / "postiz", timing=QUICK, seed=[]) as postiz:
        values = {"REDIS_URL": valkey_server.url(), "PRESSROOM_CALL_TIMEOUT_SECONDS": 1}
        made = Api(make_settings(module_database_url, home, **values))
        channel = {"id": "int-one", "name": "One", "identifier": "mastodon"}
        postiz.admin.create_org("org", keys=["key"], integrations=[channel])
        own = {"tts_settings": {"postiz": {"api_url": postiz.api_url, "api_key": "key"}}}
        for name in ("acme", "beta"):
            assert made.post("/profiles", {"id": name, "name": name, **own}).status_code == 201
        yield made
        made.close()


def operations(api: Api) -> Iterator[Any]:
    modes = list(schemathesis.GenerationMode)
    project = ProjectConfig(generation=GenerationConfig(modes=modes))
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    schema = schemathesis.openapi.from_wsgi("/openapi.json", api.app, config=config)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if not operation.path.endswith(LEFT_OUT):
            yield operation


@pytest.mark.parametrize("bound", [False, True], ids=["an admin's key", "a bound key"])
def test_every_request_gets_an_answer_that_is_described(api: Api, bound: bool) -> None:
    scopes = ["read", "publish", "settings", "admin"]
    key = api.key(*scopes, profiles=["acme"]) if bound else ADMIN_KEY
    faults: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for operation in operations(api):
        _try_operation(operation, key, faults, seen)
    print(f"{sum(seen.values())} requests: {dict(sorted(seen.items()))}")
    assert not faults, "\n\n".join(["", *faults, *faults.values()])
    assert sum(seen.values()) > CASES


def _try_operation(operation: Any, key: str, faults: dict[str, str], seen: "Counter[str]") -> None:
    headers = {"Authorization": f"Bearer {key}"}
    if not operation.path.startswith((f"{PREFIX}/profiles", f"{PREFIX}/keys")):
        headers["X-Profile-Id"] = "acme"

    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def attempt(case: Any) -> None:
        response = case.call(headers=headers)
        seen[f"{response.status_code // 100}xx"] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failures:
            for failure in failures.exceptions:
                name = f"{operation.method.upper()} {operation.path} {type(failure).__name__}"
                faults.setdefault(name, f"{name}\n{failure}\n{case.as_curl_command()}"[:2000])

    attempt()
