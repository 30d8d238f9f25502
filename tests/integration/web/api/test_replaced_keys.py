"""A key that is replaced while Postiz is looked for behind its address: no further call has it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from local.sandbox.process import SandboxProcess
from shared.models import Account
from shared.postiz.client import Postiz
from tests.integration.conftest import DEMO_KEY
from tests.servers.api import Api

OTHER_KEY = "sandbox-other-key"


@pytest.fixture
def replaced(api: Api, postiz: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Nobody knows the base path; once the first call of the search is answered, a PATCH saves
    another key. Filled with the number of requests that Postiz had noted by then."""
    noted: list[int] = []
    answered = Postiz.connected

    def answered_before_a_patch(self: Postiz, **options: Any) -> None:
        answered(self, **options)
        if self.api_key == DEMO_KEY and not noted:
            noted.append(-1)
            new = {"api_url": postiz.api_url, "api_key": OTHER_KEY}
            saved = api.call("PATCH", "/profiles/acme", json={"tts_settings": {"postiz": new}})
            assert saved.status_code == 200, saved.text
            noted[0] = len(postiz.admin.ledger(kind="request"))

    api.get("/postiz/integrations", profile="acme")
    with api.services.database.transaction() as session:
        session.execute(update(Account).values(base_url=None))
    api.services.publishers.reset()
    api.services.known_lists.reset()
    monkeypatch.setattr(Postiz, "connected", answered_before_a_patch)
    return noted


def try_saved(api: Api) -> None:
    assert api.post("/profiles/acme/validate").json["ok"] is False


def list_channels(api: Api) -> None:
    assert api.get("/postiz/integrations", profile="acme").headers["X-Stale"] == "true"


def try_publishing(api: Api) -> None:
    body = {"caption": "hello", "integration_ids": ["int-mastodon"]}
    refused = api.post("/postiz/publish?dry_run=true", body, profile="acme")
    assert refused.status_code == 422, refused.text
    print(refused.text)


@pytest.mark.parametrize("ask", [try_saved, list_channels, try_publishing])
def test_no_call_of_a_search_has_a_key_that_was_replaced_meanwhile(
    api: Api, postiz: SandboxProcess, replaced: list[int], ask: Callable[[Api], None]
) -> None:
    ask(api)
    [noted] = replaced
    late = postiz.admin.ledger(kind="request")[noted:]
    assert [row["path"] for row in late if row["key"] == DEMO_KEY] == []
