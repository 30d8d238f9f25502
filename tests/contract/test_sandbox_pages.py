"""The sandbox's pages show what happened, and escape what others wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.sandbox.process import SandboxProcess, start_sandbox, wait_for
from tests.contract.conftest import Caller
from tests.timing.sandbox_timings import steady_timing

PAST = "2026-11-01T10:00:00.417Z"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path, timing=steady_timing(send_delay=0, publish_delay=0)) as running:
        yield running


def page(address: str) -> requests.Response:
    answer = requests.get(address, timeout=120)
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer


def test_overview_and_published_post(sandbox: SandboxProcess) -> None:
    who = Caller(sandbox, "sandbox-demo-key")
    who.release(who.draft(date=PAST, content="quoted \" & 'mine"))
    who.draft(date=PAST, content="still a draft")
    sandbox.admin.add_fault("slow", route="POST /upload")
    sandbox.admin.patch_org("other", name="<i>Other</i>")
    wait_for(lambda: bool(who.window(PAST)) and bool(sandbox.admin.ledger(kind="published")))
    overview = page(sandbox.url).text
    for shown in ("Demo", "still a draft", "quoted &quot; &amp; &#x27;mine", "POST /upload"):
        assert shown in overview
    assert "&lt;i&gt;Other&lt;/i&gt;" in overview
    assert "<i>" not in overview
    (link,) = [each["releaseURL"] for each in who.window(PAST) if each["releaseURL"]]
    assert "quoted &quot; &amp;" in page(link).text


def test_nothing_is_shown_of_a_post_that_was_not_published(sandbox: SandboxProcess) -> None:
    post = Caller(sandbox, "sandbox-demo-key").draft(date=PAST)
    assert page(f"{sandbox.url}/_sandbox/published/{post}").status_code == 404
