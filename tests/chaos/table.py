"""The table of a run, and the timelines of what offends."""

from collections import Counter
from collections.abc import Iterator, Sequence

from local.sandbox.timing import Span
from shared.domain.publishing.states import DONE, PostState
from shared.models import Post
from tests.chaos import bounds
from tests.chaos.arena import Arena
from tests.chaos.audience import more_than_once
from tests.chaos.audit import Verdict
from tests.chaos.diary import Diary
from tests.chaos.evidence import Evidence
from tests.chaos.options import SEARCHES_PER_SECOND, TIMING
from tests.chaos.recovery import after_kills, after_release_faults

BOUNDS = {
    "repeated": "repeated more often than is bounded",
    "refused calls": "keys with which calls went on though refused",
    "silence": "more than a minute in which nothing happened",
}
WORST = (
    "duplicate",
    "lost",
    "unsettled",
    "disagreement",
    "outdated",
    "accepted twice",
    "thread",
)
#: More timelines of a kind than these are cut off.
MOST = 4


def faults_met(evidence: Evidence, refused: int) -> Counter[str]:
    """By kind, from the ledger; connections that were refused it cannot see."""
    met = Counter(str(row["fault"]) for row in evidence.requests if row.get("fault"))
    met["publish_error"] = len(evidence.other["publish_error"])
    met["never_publish"] = len(evidence.other["never_published"])
    met["refuse"] = refused
    return +met


def table(
    arena: Arena,
    evidence: Evidence,
    verdict: Verdict,
    diary: Diary,
    *,
    refused: int,
    settled_in: float,
    besides: Sequence[tuple[str, object]],
) -> str:
    rows = list(_rows(arena, evidence, verdict, diary, refused))
    rows += besides
    rows.append(("settled after the last injection", f"{settled_in:.0f} s"))
    return "\n".join(["| what | how many |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def _rows(
    arena: Arena, evidence: Evidence, verdict: Verdict, diary: Diary, refused: int
) -> Iterator[tuple[str, object]]:
    options = arena.options
    states = Counter(post.state for post in evidence.posts)
    met, hits = faults_met(evidence, refused), arena.failpoints_hit()
    roles = diary.details("kill")
    yield "seed", options.seed
    yield "posts accepted", len(evidence.accepted)
    yield "organizations", options.accounts
    yield "minutes of load and injection", f"{options.minutes:g}"
    yield "ended as", _listed(Counter({str(key): number for key, number in states.items()}))
    yield "failures by reason", _listed(verdict.failed) or "none"
    yield "faults met", f"{sum(met.values())}: {_listed(met)}"
    yield "kills", f"{sum(roles.values())}: {_listed(roles)}"
    yield "deaths at fail points", f"{len(hits)}: {_listed(Counter(hits))}"
    quiet = ("kill", "thaw", "resume")
    others = {k: v for k, v in diary.counts().items() if k not in quiet}
    yield "besides", _listed(Counter(others))
    for kind in (
        "duplicate",
        "lost",
        "unsettled",
        "disagreement",
        "outdated",
        "unapproved",
        "accepted twice",
        "thread",
    ):
        yield f"**{kind}**", verdict.count(kind)
    yield "**sent and never asked for**", verdict.count("strange send")
    why = Counter(reason or "unexplained" for reason in verdict.outcome_unknown.values())
    yield "**outcome_unknown**", f"{len(verdict.outcome_unknown)}: {_listed(why) or 'none'}"
    yield "**outcome_unknown, unexplained**", verdict.count("unexplained")
    yield "**429 of our doing, in organizations**", verdict.count("budget")
    yield "**calls with a replaced key**", verdict.count("stale key")
    yield "**pauses that were not heeded**", verdict.count("paused")
    yield "**drafts left as litter**", verdict.count("litter")
    yield "**released to a server that stood still**", verdict.count("not held back")
    yield "**released faster than the pace**", verdict.count("burst")
    events = (event.event for rows in evidence.events.values() for event in rows)
    yield "posts that a channel refused, and that waited", Counter(events)["refused_before_sending"]
    neighbour = evidence.neighbour
    yield (
        "of another installation, left alone",
        f"{len(neighbour.drafts)} drafts, {len(neighbour.scheduled)} posts",
    )
    yield "**of another installation, touched**", verdict.count("neighbour")
    again = more_than_once(evidence.heard)
    yield "requests to a webhook's receiver", f"{len(evidence.heard)}; {again} events came again"
    yield "**ends that nobody was told, or told wrongly**", verdict.count("untold")
    yield (
        "**runs of schedules that are not one for each minute, or not whole**",
        verdict.count("schedule"),
    )
    yield "runs of schedules", len(evidence.runs)
    for kind in ("repeated", "refused calls", "silence"):
        yield f"**{BOUNDS[kind]}**", verdict.count(kind)
    yield from bounds.summary(evidence, diary)
    yield "uploads", len(evidence.uploads)
    yield "left in 2099", verdict.in_2099
    yield "kill to next progress, p50 / p99 / max", after_kills(evidence, diary)
    yield "fault at a release to certainty, p50 / p99 / max", after_release_faults(evidence)
    yield "children of each worker pool", options.concurrency
    yield "sandbox", _sandbox()


def _sandbox() -> str:
    change, send = _format_span(TIMING.queue_to_start), _format_span(TIMING.send_delay)
    delays = f"{change} s for a status change, {send} s to a send"
    return f"{delays}, {SEARCHES_PER_SECOND:g} searches/s"


def _format_span(span: Span) -> str:
    return "-".join(f"{end:g}" for end in (span if isinstance(span, tuple) else (span,)))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.most_common())


def offenders(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """The first few of each kind, with the timelines of their posts."""
    for kind, number in sorted(Counter(each.kind for each in verdict.violations).items()):
        for violation in [each for each in verdict.violations if each.kind == kind][:MOST]:
            yield f"\n{kind}: {violation.what}"
            if violation.post_id is not None:
                yield from timeline(evidence, violation.post_id)
        if number > MOST:
            yield f"\n{kind}: … and {number - MOST} more"


def timeline(evidence: Evidence, post_id: int) -> Iterator[str]:
    """What we wrote down, and what the sandbox saw of the ids that the post ever had."""
    post = next(post for post in evidence.posts if post.id == post_id)
    content = post.content
    ids = {id_ for id_, row in evidence.remote.items() if row["content"] == content}
    lines = [
        (event.at.timestamp(), "ours", f"{event.event} {event.detail or ''}")
        for event in evidence.events[post_id]
    ]
    for kind, rows in {**evidence.other, "send": evidence.sends}.items():
        lines += [
            (row["time"], "postiz", f"{kind} {row['post'][-6:]} {row.get('publish_date', '')}")
            for row in rows
            if row["post"] in ids
        ]
    for row in evidence.requests:
        if row["params"].get("id") in ids:
            told = f"{row['method']} {row['params']['id'][-6:]}: {row['status']}"
            lines.append((row["time"], "call", f"{told} {row.get('fault', '')}"))
    first = min((at for at, _, _ in lines), default=0.0)
    for at, whose, what in sorted(lines):
        yield f"  {at - first:8.2f}  {whose:6}  {what}"
    yield f"  in the end: {post.state} {post.error_code or ''} {post.postiz_post_id or ''}"
    if PostState(post.state) not in DONE:
        yield from _why_it_waits(evidence, post)


def _why_it_waits(evidence: Evidence, post: Post) -> Iterator[str]:
    account, profile = evidence.accounts[post.account_id], evidence.profiles[post.profile_id]
    held = [reason for profile_id, reason in evidence.held if profile_id == profile.id]
    columns = ("paused", "failures", "retry_at", "blocked_until", "plan_at", "lease_until")
    facts = {name: str(getattr(account, name)) for name in columns}
    yield f"  account {account.id}: {facts}"
    yield f"  {profile.id} of account {profile.account_id}: paused {profile.paused}, held {held}"
    columns = ("next_at", "publish_at", "release_at", "track_at", "lease_until", "error_message")
    yield f"  post: { {name: str(getattr(post, name)) for name in columns} }"
