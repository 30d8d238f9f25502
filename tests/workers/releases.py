"""Single releases, in steps: claimed, checked, sent and recorded in the test's own thread."""

from collections import Counter

from sqlalchemy.orm import Session

from shared.domain.publishing.fairness import DueProfile
from worker.releasing import due_posts
from worker.releasing.claims import Release, claim_releases
from worker.releasing.due_posts import DuePost, Turns
from worker.releasing.last_check import LastCheck, ReleaseCheck
from worker.releasing.release import AnswerRecorder, send_release
from worker.releasing.releaser import Releaser
from worker.runtime import Runtime


def lock_first(session: Session, due: DueProfile, settle_seconds: float = 0.0) -> list[DuePost]:
    """The profile's next post, or nothing."""
    wanted = [Turns(due=due, count=1)]
    return due_posts.lock_due_posts(session, wanted, Counter(), settle_seconds)


def claim_first(runtime: Runtime, due: DueProfile) -> Release | None:
    claimed = claim_releases(runtime, [Turns(due=due, count=1)])
    return claimed[0] if claimed else None


def require_allowed(runtime: Runtime, release: Release, base_url: str) -> None:
    """The last check before the first byte."""
    check = ReleaseCheck(
        post_id=release.post_id,
        claim=release.claim,
        version=release.credentials.version,
        base_url=base_url,
    )
    LastCheck(runtime.database).require_allowed(check)


def send(runtime: Runtime, release: Release) -> None:
    """Make its call, and record how it ended."""
    answer = send_release(runtime, LastCheck(runtime.database), release)
    runtime.keep(AnswerRecorder).record([answer])


def release_due(runtime: Runtime, *due: DueProfile) -> int:
    """Release posts of these profiles in one round; how many were claimed."""
    releaser = runtime.keep(Releaser)
    before = sum(runtime.counts.values())
    with releaser.running():
        releaser.start(due)
        while releaser.count_calls_since(0.0):
            releaser.wait(1, 0.01)
        releaser.record()
    return sum(runtime.counts.values()) - before
