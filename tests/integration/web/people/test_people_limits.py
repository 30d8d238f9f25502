"""People who have signed in, or can, leave passwords and pages to the others."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from tests.servers.api import Api
from tests.servers.browsers import PASSWORD, Browser, make_user
from tests.servers.settings import make_settings
from web.rate_limits import RateLimits

MOST = 3
RIGHT = {"email": "ann@example.com", "password": PASSWORD}


@pytest.fixture
def limited(bare_api: Api) -> Iterator[Api]:
    """An address has `MOST` passwords."""
    services = bare_api.services
    limit(bare_api, PRESSROOM_FAILED_KEYS_PER_MINUTE=MOST)
    yield bare_api
    bare_api.app.extensions["pressroom"] = services


def limit(api: Api, **most: int) -> None:
    given = api.services.settings
    settings = make_settings(
        given.database_url.get_secret_value(),
        api.home.parent,
        REDIS_URL=given.redis_url.get_secret_value(),
        **most,
    )
    api.app.extensions["pressroom"] = replace(api.services, rates=RateLimits(settings))


def new_address(browser: Browser) -> Browser:
    """One that no other test has."""
    browser.client.environ_base["REMOTE_ADDR"] = str(IPv6Address(uuid.uuid4().int))
    return browser


def test_right_passwords_are_looked_at_as_often_as_wrong_ones(limited: Api) -> None:
    """Each costs as much: who has an account must not keep others from signing in."""
    make_user(limited)
    browser = new_address(Browser(limited))
    statuses = [browser.submit("/sign-in", RIGHT).status_code for _ in range(MOST + 1)]
    assert statuses == [303] * MOST + [429]
    assert new_address(Browser(limited)).submit("/sign-in", RIGHT).status_code == 303


def test_wrong_ones_keep_out_nobody_who_has_signed_in_from_there(limited: Api) -> None:
    make_user(limited)
    browser = new_address(Browser(limited))
    assert browser.submit("/sign-in", RIGHT).status_code == 303
    for _ in range(MOST + 1):
        browser.submit("/sign-in", {**RIGHT, "email": "unknown@example.com"})
    assert browser.submit("/sign-in", RIGHT).status_code == 303


def test_a_session_tries_few_passwords(limited: Api) -> None:
    browser = new_address(Browser.signed_in(limited, make_user(limited)))
    body = {"current_password": "wrong password", "new_password": PASSWORD}
    statuses = [browser.post("/session/password", body).status_code for _ in range(MOST + 1)]
    assert statuses == [403] * MOST + [429]


def test_links_set_few_passwords(limited: Api) -> None:
    users = [make_user(limited, f"{number}@example.com") for number in range(MOST + 1)]
    links = [limited.post(f"/users/{user}/invite").json["link"] for user in users]
    browser = new_address(Browser(limited))
    form = {"password": PASSWORD}
    statuses = [browser.submit(link, form).status_code for link in links]
    assert statuses == [303] * MOST + [429]
    assert new_address(browser).submit(links[-1], form).status_code == 303, "it was not used"


def test_pages_count_as_requests_of_the_person(limited: Api) -> None:
    limit(limited, PRESSROOM_REQUESTS_PER_MINUTE=MOST)
    browser = Browser.signed_in(limited, make_user(limited))
    statuses = [browser.open("GET", "/account").status_code for _ in range(MOST + 1)]
    assert statuses == [200] * MOST + [429]
    assert browser.get("/session").status_code == 429
