"""A plan's faults and warnings in words for the page, where the API's own name its fields."""

import re
from typing import Any

from tests.factories.files import FILES
from tests.servers.api import Api
from web.serializers.plan_words import PLAN_WORDS

#: What only who writes requests understands: names of fields, JSON, paths, files of the project.
API_WORDS = re.compile(r'\w_\w|"|GET /|PATCH|docs/|\bids?\b')
NETWORKS = ("mastodon", "x", "tiktok", "youtube", "pinterest", "reddit", "instagram", "linkedin")


def test_whoever_plans_on_the_page_reads_nothing_of_the_apis_fields(api: Api) -> None:
    told = list(_plan_of_poisons(api))
    found = {each["code"] for each in told if API_WORDS.search(each["remedy"] or "")}
    assert found <= set(PLAN_WORDS), found - set(PLAN_WORDS)
    assert len(found) >= 7, found
    for code, words in PLAN_WORDS.items():
        assert words.remedy and not API_WORDS.search(f"{words.remedy} {words.message}"), code


def _plan_of_poisons(api: Api) -> Any:
    clips = [api.upload(FILES.mp4(shade), profile="acme").json["media"]["id"] for shade in (1, 2)]
    everywhere = [f"int-{name}" for name in NETWORKS]
    items = [
        {"caption": "Fine", "media_ids": clips[:1], "integration_ids": everywhere},
        {"caption": "<b>" + "y" * 4000, "media_ids": clips, "integration_ids": everywhere},
        {"caption": "", "media_ids": [], "integration_ids": ["int-mastodon"]},
        {"caption": "Nowhere", "media_ids": ["999999"], "integration_ids": ["int-nobody"]},
        {"caption": "No channel"},
        {"caption": "Settings", "settings": {"x": {"who_can_reply_post": "nobody"}}}
        | {"integration_ids": ["int-x"], "captions_per_platform": {"tikttok": "Wrong"}},
        *({"caption": "Again", "integration_ids": ["int-x", "int-tiktok"]} for _ in range(40)),
    ]
    body = {"items": items, "schedule_interval_minutes": 0, "first_comment": "Below"}
    reply = api.post("/postiz/bulk-publish?dry_run=true", body, profile="acme")
    assert reply.status_code == 200, reply.text
    plan = reply.json["plan"]
    yield from plan["warnings"]
    for row in plan["rows"]:
        yield from row["errors"]
