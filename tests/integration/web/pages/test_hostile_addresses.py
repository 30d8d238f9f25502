"""Pages whose addresses hold what nobody's browser wrote there: answered in words, and soon."""

from urllib.parse import quote

from tests.servers.api import Api
from tests.servers.browsers import Browser, make_user

LISTS = {
    "/jobs": ("state", "kind", "profile"),
    "/posts": ("state", "error_code", "channel", "profile", "job", "from", "to", "tz", "q"),
    "/media": ("profile", "type", "q"),
    "/calendar": ("view", "date", "channel", "profile", "tz"),
    "/compose": ("profile",),
    "/accounts": (),
    "/schedules": (),
    "/schedules/new": ("profile",),
    "/webhooks": (),
    "/keys": (),
    "/users": (),
    "/audit": ("profile", "user", "key", "since", "until"),
}
HOSTILE = (
    "\0",
    "x" * 5000,
    "9" * 400,
    "9999-12-31T23:59:59",
    "Asia",
    "\N{PILE OF POO}\N{RIGHT-TO-LEFT OVERRIDE}",
    '"><img src=x><script>alert(1)</script>',
    "OTIyMzM3MjAzNjg1NDc3NTgwOA",
)


def test_a_page_answers_whatever_its_address_says(api: Api) -> None:
    api.post("/postiz/publish", {"caption": "Hi", "integration_ids": ["int-x"]}, profile="acme")
    browser = Browser.signed_in(api, make_user(api, role="admin"))
    for path, names in LISTS.items():
        for value in (*map(quote, HOSTILE), "%ED%A0%80"):
            for query in ("&".join(f"{name}={value}" for name in names), f"cursor={value}"):
                reply = browser.open("GET", f"{path}?{query}")
                assert reply.status_code in {200, 400, 404}, (path, query, reply.text[-500:])
                assert "<script>alert" not in reply.text and "<img src=x" not in reply.text, query
                assert "<h1>" in reply.text, query


def test_there_is_nothing_at_an_id_that_nothing_has(api: Api) -> None:
    browser = Browser.signed_in(api, make_user(api, role="admin"))
    for path in ("/jobs/", "/posts/", "/schedules/", "/webhooks/", "/profiles/"):
        for value in map(quote, HOSTILE):
            reply = browser.open("GET", path + value)
            assert reply.status_code == 404, (path, value, reply.text[-300:])
