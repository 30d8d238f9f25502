"""The audit: what was accepted against what was sent, and each post against the ledger."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.domain.publishing.states import PostState
from shared.jobs.progress import UPLOADS
from tests.chaos import bounds, outages
from tests.chaos.approvers import find_unapproved
from tests.chaos.audience import untold
from tests.chaos.cast import Member
from tests.chaos.diary import Diary
from tests.chaos.evidence import Evidence, litter, wanted
from tests.chaos.judge import FAR, Judge, Violation
from tests.chaos.minds import PAUSED, RESUMED, WORD_GIVEN
from tests.chaos.neighbour import NAME
from tests.chaos.options import WRITES_PER_SECOND
from tests.chaos.runs import failures_of
from tests.chaos.threads import broken_threads
from tests.timing.delays import delay_at

#: How long after the answer of a PATCH the old key may still be seen (promise 3 of
#: docs/RELIABILITY.md), and a release of what a PATCH paused; on a machine that is never late.
GRACE = 0.1
#: A process that was frozen between its last question and its first byte cannot know better.
AFTER_THAW = 1.5


@dataclass(frozen=True, kw_only=True)
class Verdict:
    violations: list[Violation]
    outcome_unknown: dict[int, str]  # post → why nobody can tell
    failed: Counter[str]
    in_2099: int

    def count(self, kind: str) -> int:
        return sum(violation.kind == kind for violation in self.violations)


def audit(evidence: Evidence, cast: list[Member], diary: Diary) -> Verdict:
    judge = Judge(evidence, diary)
    unknown = {
        post.id: judge.why_unknown(post)
        for post in evidence.posts
        if post.error_code == "outcome_unknown" and post.state == PostState.FAILED
    }
    violations = [
        *_accepted(evidence),
        *_sent(evidence, diary),
        *_unapproved(evidence, diary),
        *(found for post in evidence.posts for found in judge.judge(post)),
        *_too_many_unknown(unknown, len(evidence.posts)),
        *_threads(evidence),
        *_uploads(evidence),
        *_litter(evidence, diary),
        *_neighbour(evidence),
        *_budget(evidence),
        *_stale_keys(evidence, cast, diary),
        *_paused(evidence, diary),
        *_told(evidence),
        *_schedules(evidence, diary),
        *_bounds(evidence, diary),
        *_outages(evidence, diary),
    ]
    return Verdict(
        violations=violations,
        outcome_unknown=unknown,
        failed=Counter(
            str(post.error_code) for post in evidence.posts if post.state == PostState.FAILED
        ),
        in_2099=sum(
            row["publish_date"].startswith(FAR)
            for row in evidence.remote.values()
            if not row["deleted"] and not row["content"].startswith(NAME)
        ),
    )


def _unapproved(evidence: Evidence, diary: Diary) -> Iterator[Violation]:
    for post_id, words in find_unapproved(evidence, diary):
        yield Violation(kind="unapproved", what=f"post {post_id} {words}", post_id=post_id)


def _accepted(evidence: Evidence) -> Iterator[Violation]:
    """Each accepted post is in the database, and once."""
    there = Counter(wanted(post) for post in evidence.posts)
    asked = evidence.asked
    for one in asked - there:
        yield Violation(kind="lost", what=f"accepted, and not in the database: {one}")
    for one in there - asked:
        yield Violation(kind="accepted twice", what=f"more often than it was asked for: {one}")


def _sent(evidence: Evidence, diary: Diary) -> Iterator[Violation]:
    by_wanted = {wanted(post): post.id for post in evidence.posts}
    not_ours = diary.details(WORD_GIVEN)
    for one, sends in evidence.sends_of.items():
        if one not in by_wanted:
            yield Violation(kind="strange send", what=f"sent, and nobody asked for it: {one}")
        elif len(sends) > evidence.asked[one] and one.content not in not_ours:
            yield Violation(
                kind="duplicate", what=f"sent {len(sends)} times: {one}", post_id=by_wanted[one]
            )


def _too_many_unknown(unknown: dict[int, str], posts: int) -> Iterator[Violation]:
    """Under 1 %, or three of a small run."""
    if len(unknown) > max(3, posts // 100):
        yield Violation(kind="too many unknown", what=f"{len(unknown)} of {posts} posts")


def _threads(evidence: Evidence) -> Iterator[Violation]:
    found = broken_threads(evidence.posts, evidence.owner, evidence.sends, evidence.other["part"])
    for what, post_id in found:
        yield Violation(kind="thread", what=what, post_id=post_id)


def _uploads(evidence: Evidence) -> Iterator[Violation]:
    """Each upload ends, and none of ours for a reason that lies in the file; so do the jobs."""
    for row in evidence.uploads:
        if row.state != "uploaded":
            facts = f"upload {row.id} is {row.state}: {row.error_code} {row.error_message}"
            kind = "lost" if row.state == "failed" else "unsettled"
            yield Violation(kind=kind, what=facts)
    for job in evidence.jobs:
        if job.kind in UPLOADS and job.finished_at is None:
            yield Violation(kind="unsettled", what=f"job {job.id} ({job.kind}) is {job.state}")


def _told(evidence: Evidence) -> Iterator[Violation]:
    for what, post_id in untold(evidence.heard, evidence.taken, evidence.posts, evidence.jobs):
        yield Violation(kind="untold", what=what, post_id=post_id)


def _schedules(evidence: Evidence, diary: Diary) -> Iterator[Violation]:
    for what in failures_of(evidence, diary):
        yield Violation(kind="schedule", what=what)


def _bounds(evidence: Evidence, diary: Diary) -> Iterator[Violation]:
    for what, post_id in bounds.repeated(evidence):
        yield Violation(kind="repeated", what=what, post_id=post_id)
    for what in bounds.refused(evidence, diary):
        yield Violation(kind="refused calls", what=what)
    for what in bounds.too_silent(evidence, diary):
        yield Violation(kind="silence", what=what)


def _outages(evidence: Evidence, diary: Diary) -> Iterator[Violation]:
    for what in outages.held_back(evidence.requests, diary):
        yield Violation(kind="not held back", what=what)
    for what in outages.bursts(evidence.requests, WRITES_PER_SECOND):
        yield Violation(kind="burst", what=what)


def _litter(evidence: Evidence, diary: Diary) -> Iterator[Violation]:
    for row in litter(evidence.remote.values(), evidence.alive, diary):
        facts = f"{row['id']} in {row['org']} at {row['publish_date']}: {row['content']}"
        yield Violation(kind="litter", what=facts)


def _neighbour(evidence: Evidence) -> Iterator[Violation]:
    """What another installation has in our organizations is as it left it, and was sent once."""
    for id_ in (*evidence.neighbour.drafts, *evidence.neighbour.scheduled):
        if evidence.remote[id_]["deleted"]:
            yield Violation(kind="neighbour", what=f"{id_} of the neighbour's was deleted")
    sent = Counter(send["post"] for send in evidence.sends)
    for id_ in evidence.neighbour.drafts:
        if sent[id_] or evidence.remote[id_]["state"] != "DRAFT":
            yield Violation(kind="neighbour", what=f"the draft {id_} of the neighbour's was sent")
    for id_ in set(evidence.neighbour.scheduled) - evidence.not_published:
        if sent[id_] != 1:
            yield Violation(kind="neighbour", what=f"{id_} of the neighbour's: {sent[id_]} sends")


def _paused(evidence: Evidence, diary: Diary) -> Iterator[Violation]:
    """No status change of what was paused, from the answer on until somebody resumes it."""
    owner = evidence.owner
    posts = {post.id: post for post in evidence.posts}
    pauses = list(_pauses(diary))
    for row in evidence.requests:
        post = posts.get(owner.get(row["params"].get("id", ""), 0))
        if post is None or row["method"] != "PUT":
            continue
        names = {
            f"jobs/{post.job_id}",
            f"profiles/{post.profile_id}",
            f"accounts/{post.account_id}",
        }
        for name, begins, ends in pauses:
            if name in names and row["time"] < ends and _is_late(row, begins, evidence, diary):
                late = f"{row['time'] - begins:.3f} s after the answer"
                yield Violation(kind="paused", what=f"{name} was paused: released {late}")


def _pauses(diary: Diary) -> Iterator[tuple[str, float, float]]:
    """What was paused, and the first moment at which it no longer was."""
    for begun in diary.of(PAUSED):
        ends = [end.at for end in diary.of(RESUMED) if end.detail == begun.detail]
        yield begun.detail, begun.at, min((at for at in ends if at > begun.at), default=begun.at)


def _budget(evidence: Evidence) -> Iterator[Violation]:
    for org in evidence.orgs:
        if org["refused_calls"] or org["trips"]:
            facts = f"{org['id']}: {org['trips']} trips, {org['refused_calls']} refused"
            yield Violation(kind="budget", what=facts)


def _stale_keys(evidence: Evidence, cast: list[Member], diary: Diary) -> Iterator[Violation]:
    replaced: dict[str, float] = {}
    for member in cast:
        replaced |= {old: at for (old, _), (_, at) in itertools.pairwise(member.saved)}
    for row in evidence.requests:
        answered = replaced.get(row["key"], float("inf"))
        if _is_late(row, answered, evidence, diary):
            at = datetime.fromtimestamp(row["time"], UTC).isoformat()
            late = f"{(row['time'] - answered) * 1000:.0f} ms after the answer"
            what = f"{row['method']} {row['path']} at {at}, {late}"
            yield Violation(kind="stale key", what=what)


def _is_late(row: Mapping[str, Any], answered: float, evidence: Evidence, diary: Diary) -> bool:
    """Whether the call came longer after the answer that forbids it than nobody can help."""
    late: float = row["time"] - answered
    if late <= GRACE or any(0 <= row["time"] - each.at < AFTER_THAW for each in diary.of("thaw")):
        return False
    return late > GRACE + delay_at(row["time"], evidence.delays)
