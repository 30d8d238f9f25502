"""The commands of pages of docs do what the pages say, on a whole stack."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from icalendar import Calendar

from tests.factories.files import FILES
from tests.scenarios.documented import Terminal, commands_of
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until


@pytest.fixture(scope="module")
def terminal(stack: RunningStack) -> Terminal:
    return Terminal(stack)


def ask(terminal: Terminal, commands: str) -> dict[str, str]:
    """The ids of a job that waits, and of its post."""
    [made] = terminal.run(commands)
    job = made["job"]["id"]
    [posts] = terminal.run(f"call $URL/jobs/{job}/posts")
    [post] = posts["items"]
    assert post["state"] == "waiting_approval"
    return {"jobs": job, "posts": post["id"]}


def wait_until_published(terminal: Terminal, post: str) -> dict[str, Any]:
    def read_post() -> dict[str, Any]:
        [shown] = terminal.run(f"call $URL/posts/{post}")
        return dict(shown)

    wait_until(lambda: read_post()["state"] == "published", lambda: str(read_post()))
    return read_post()


def test_posts_wait_are_approved_rejected_and_approved_by_a_link(terminal: Terminal) -> None:
    publish, approve, reject, links = commands_of("docs/APPROVAL.md")
    ids = ask(terminal, publish)
    listed, approved = terminal.run(approve, **ids)
    assert ids["posts"] in [post["id"] for post in listed["items"]]
    assert approved["state"] == "pending"
    wait_until_published(terminal, ids["posts"])

    ids = ask(terminal, publish)
    states = [post["state"] for post in terminal.run(reject, **ids)]
    assert states == ["cancelled", "cancelled", "waiting_approval"]

    create, manage = links.splitlines()[0], "\n".join(links.splitlines()[1:])
    [link] = terminal.run(create, **ids)
    assert approve_by_link(link["url"]).url.endswith(f"#post-{ids['posts']}")
    post = wait_until_published(terminal, ids["posts"])
    assert post["content"] == "Summer sale, with the new logo"
    assert "by the link 'Client'" in str(post["timeline"])
    manage = manage.replace("/approval-links/1", f"/approval-links/{link['id']}")
    [[row]] = [listed["items"] for listed in terminal.run(manage, jobs=ids["jobs"])]
    assert row["decided"] == 1
    gone = requests.get(link["url"], timeout=PATIENCE)
    assert (gone.status_code, "was withdrawn" in gone.text) == (404, True)


def approve_by_link(url: str) -> requests.Response:
    with requests.Session() as browser:
        page = browser.get(url, timeout=PATIENCE)
        assert page.ok, page.text
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page.text)
        form = {name: unescape(value) for name, value in hidden} | {"decision": "approve"}
        return browser.post(url, data=form, timeout=PATIENCE)


def test_a_calendar_shows_what_was_published_until_its_link_is_deleted(terminal: Terminal) -> None:
    publish, approve, *_ = commands_of("docs/APPROVAL.md")
    ids = ask(terminal, publish)
    terminal.run(approve, **ids)
    post = wait_until_published(terminal, ids["posts"])
    create, *manage = commands_of("docs/CALENDAR.md")[0].splitlines()
    [link] = terminal.run(create)
    reply = requests.get(link["url"], timeout=PATIENCE)
    assert reply.headers["Content-Type"].startswith("text/calendar")
    events = {str(each["UID"]): each for each in Calendar.from_ical(reply.content).walk("VEVENT")}
    event = events[f"post-{post['id']}@pressroom"]
    assert (event["STATUS"], event["URL"]) == ("CONFIRMED", post["release_url"])
    assert str(event["SUMMARY"]).endswith(": Summer sale")
    terminal.run("\n".join(manage).replace("links/1", f"links/{link['id']}"))
    assert requests.get(link["url"], timeout=PATIENCE).status_code == 404


def test_posts_are_edited_one_or_many(terminal: Terminal) -> None:
    one, many = commands_of("docs/EDITING.md")
    far = '{"integration_ids": ["int-mastodon"], "caption": "A", "schedule_date": "2030-01-01"}'
    [made] = terminal.run(f"json $URL/postiz/publish -d '{far}'")
    job = made["job"]["id"]
    [[post]] = [posts["items"] for posts in terminal.run(f"call $URL/jobs/{job}/posts")]
    [edited] = terminal.run(one, posts=post["id"])
    assert (edited["content"], edited["publish_at"]) == ("Better", "2031-08-01T16:30:00Z")
    dry, *real = terminal.run(many.replace('"job_id": "3"', f'"job_id": "{job}"'))
    assert (dry["would_change"], [each["changed"] for each in real]) == (1, [1, 1, 1])
    [shown] = terminal.run(f"call $URL/posts/{post['id']}")
    assert (shown["content"], shown["revision"]) == ("For all of them", 5)
    assert shown["publish_at"] == "2031-08-01T07:00:00Z"


def test_a_thread_is_accepted_as_a_whole(terminal: Terminal) -> None:
    publish, *_ = commands_of("docs/THREADS.md")
    jobs = [made["job"]["id"] for made in terminal.run(publish)]
    shown = [terminal.run(f"call $URL/jobs/{job}/posts")[0]["items"][0] for job in jobs]
    parts = [[part["content"] for part in post["thread"]] for post in shown]
    assert parts == [
        ["The second", "The last, ten minutes later"],
        ["The link: https://example.com"],
    ]


def test_a_channel_is_said_to_be_connected_again(terminal: Terminal) -> None:
    [commands] = commands_of("docs/CHANNELS.md")
    listed, resumed, waiting = terminal.run(commands)
    states = {channel["id"]: channel["state"] for channel in listed}
    assert states["int-mastodon"] == "ready"
    assert "disabled" in states.values()
    assert (resumed["id"], resumed["state"]) == ("int-mastodon", "ready")
    assert waiting["items"] == []


def test_the_same_post_twice_is_refused_where_that_is_asked_for(terminal: Terminal) -> None:
    [twice] = [each for each in commands_of("docs/BULK.md") if "duplicate_policy" in each]
    [planned] = terminal.run(twice)
    rows = planned["plan"]["rows"]
    assert [row["ok"] for row in rows] == [True, False]
    assert rows[1]["errors"][0]["code"] == "duplicate_post"


def test_a_playlist_is_saved_with_its_end_and_its_cooldown(
    terminal: Terminal, tmp_path: Path
) -> None:
    ids = []
    for shade in range(4):
        file = tmp_path / f"{shade}.png"
        file.write_bytes(FILES.png(shade))
        [made] = terminal.run(f"call $URL/postiz/upload -F file=@{file}")
        ids.append(made["media"]["id"])
    create, *_ = commands_of("docs/SCHEDULES.md")
    [saved] = terminal.run(create.replace('["1", "2", "3", "4"]', json.dumps(ids)))
    assert (saved["enabled"], saved["playlist"]["cooldown_days"]) == (True, 14)
    [ran] = terminal.run(f"call -X POST $URL/schedules/{saved['id']}/run")
    assert ran["job"]["total"] == 4
    terminal.run(f"call -X DELETE $URL/schedules/{saved['id']}")  # others count what is left
