"""How soon the pages that people look at are answered, with a million posts in the database.

Asked of the application itself, by an admin who sees all profiles, and by a viewer who sees one.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.postgres import Postgres
from tests.bench import goals
from tests.bench.record import Record
from tests.conftest import MIGRATED
from tests.scenarios.long_lists import OTHERS, fill_a_year, fill_other_lists
from tests.servers.api import Api
from tests.servers.browsers import Browser, make_user
from tests.servers.settings import make_settings
from web.http_layer.pagination import encode_cursor

POSTS, ROUNDS = 1_000_000, 5
#: What also a machine with much other work reaches.
AT_MOST = 2_000.0
#: Bytes of a page without its style and scripts, however long the lists are.
LARGEST = 200_000
TODAY = datetime.now(UTC).date()
A_DAY = f"from={TODAY - timedelta(days=9)}T00:00&to={TODAY - timedelta(days=8)}T00:00"
PATHS = {
    "home": "/",
    "jobs": "/jobs",
    "uploads": "/jobs?kind=uploads",
    "jobs that failed": "/jobs?state=completed_with_errors",
    "posts": "/posts",
    "failed posts": "/posts?state=failed",
    "held posts": "/posts?state=held",
    "drafts, of which there are none": "/posts?state=draft",
    "a reason": "/posts?error_code=media_refused",
    "an unknown reason": "/posts?error_code=nothing",
    "a channel": "/posts?channel=int-3-2",
    "failed posts of a channel": "/posts?channel=int-3-2&state=failed",
    "a day": f"/posts?{A_DAY}",
    "failed posts of a day": f"/posts?state=failed&{A_DAY}",
    "a common word": "/posts?q=people",
    "a word that nobody wrote": "/posts?q=zeppelin",
    "a day of the calendar": "/calendar?view=day",
    "a week of the calendar": "/calendar?view=week",
    "a month of the calendar": "/calendar?view=month",
    "a month of a channel": "/calendar?view=month&channel=int-3-2",
    "channels": "/channels",
    "a job": "/jobs/2",
    "failed posts with a common word": "/posts?state=failed&q=people",
    "a word of a channel that nobody wrote": "/posts?channel=int-3-2&q=zeppelin",
    "posts of a profile": "/posts?profile=client-3",
    "a month of a profile": "/calendar?view=month&profile=client-3",
    "compose": "/compose?profile=client-3",
    "media": "/media",
    "media, from the middle on": f"/media?cursor={encode_cursor(str(OTHERS // 2))}",
    "media of a profile": "/media?profile=client-3",
    "a file's name": "/media?q=clip+123",
    "a file's name that nobody gave": "/media?q=zeppelin",
    "pictures": "/media?type=image",
    "schedules": "/schedules",
    "profiles": "/profiles",
    "a profile": "/profiles/client-3",
    "accounts": "/accounts",
}
#: Of those only who may administer.
SETTINGS = {
    "keys": "/keys",
    "people": "/users",
    "webhooks": "/webhooks",
    "deliveries of a webhook": "/webhooks/1",
    "audit": "/audit",
    "audit of a profile": "/audit?profile=client-3",
    "audit of a person": "/audit?user=7",
    "audit of a month": f"/audit?since={TODAY - timedelta(days=40)}T00:00&until={TODAY}T00:00",
}


@pytest.mark.timeout(1800)
def test_each_page_is_answered_at_once(
    postgres: Postgres, redis_url: str, tmp_path: Path, record: Record
) -> None:
    postgres.create_database("pages", template=MIGRATED)
    api = Api(make_settings(postgres.url("pages"), tmp_path, REDIS_URL=redis_url))
    fill_a_year(api.services.database, posts=POSTS)
    fill_other_lists(api.services.database)
    admin = make_user(api, "boss@example.com", role="admin")
    viewer = make_user(api, "client@example.com", profiles=["client-3"])
    people = {"all profiles": (admin, PATHS | SETTINGS), "a profile": (viewer, PATHS)}
    browsers = {who: Browser.signed_in(api, user) for who, (user, _) in people.items()}
    for number in range(1 + ROUNDS):
        for who, browser in browsers.items():
            for name, path in people[who][1].items():
                began = time.perf_counter()
                reply = browser.open("GET", path)
                assert reply.status_code == 200, path
                assert len(reply.data) < LARGEST, path
                if number:  # the first round warms up
                    record.add_round(name, who, {"ms": 1000 * (time.perf_counter() - began)})
    slowest = max(
        record.median(name, "ms", who) for who, (_, paths) in people.items() for name in paths
    )
    api.close()
    postgres.drop_database("pages")
    assert record.compare_with_goal(goals.PAGES, slowest) <= AT_MOST
