"""A dry run's answer: what would be published when, and at the price of how many counted calls."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.packing import Candidate, pack, size_of
from shared.domain.plan import CALENDAR
from shared.domain.rows import CheckedRow, PlannedPost
from shared.domain.spreading import LATEST
from shared.late_policy import LATE, LatePolicy
from shared.orders import Checked
from web import warned
from web.schemas.publishing import FaultOfRow, Handovers, Plan, PlannedRow, PlanWarning


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What a bulk comes to. `late`: of the posts, by their places, those that will be late."""

    counted_calls: int
    first_at: datetime | None
    finishes_at: datetime | None
    late: Sequence[int]


def plan_of(checked: Checked) -> Totals:
    """The seam to the planner."""
    now = checked.order.now
    times = [post.row.publish_at for post in checked.posts]
    drafts = checked.order.body.save_as_draft
    late = [] if drafts else [n for n, moment in enumerate(times) if moment < now - LATE]
    out = [max(moment, now.replace(microsecond=0)) for moment in times]
    return Totals(
        counted_calls=_calls(checked),
        first_at=min(out, default=None),
        finishes_at=max(out, default=None),
        late=late,
    )


def _calls(checked: Checked) -> int:
    """A call has one date: in the calendar that is the posts' own."""
    by_date: dict[datetime | None, list[Candidate]] = defaultdict(list)
    for number, post in enumerate(checked.posts):
        date = post.row.publish_at if checked.handoff == CALENDAR else None
        by_date[date].append(_candidate(checked, number, post))
    return sum(_packs(group) for group in by_date.values())


def _packs(left: list[Candidate]) -> int:
    calls = 0
    while left:
        gone = {one.id for one in pack(left)}
        left = [one for one in left if one.id not in gone]
        calls += 1
    return calls


def _candidate(checked: Checked, number: int, post: PlannedPost) -> Candidate:
    return Candidate(
        id=number,
        profile_id=checked.order.profile_id,
        handoff=checked.handoff,
        as_draft=checked.order.body.save_as_draft,
        publish_at=post.row.publish_at,
        size=size_of(post.content, post.settings, len(post.media_ids)),
    )


def plan_view(checked: Checked) -> Plan:
    totals = plan_of(checked)
    posts = len(checked.posts)
    in_calendar = checked.handoff == CALENDAR
    return Plan(
        posts=posts,
        counted_calls=totals.counted_calls,
        first_at=totals.first_at,
        finishes_at=totals.finishes_at,
        late_posts=len(totals.late),
        handoff=Handovers(calendar=posts) if in_calendar else Handovers(staged=posts),
        jitter_seed=checked.order.options.get("jitter_seed"),
        warnings=[*_warnings(checked, totals), *warned.warnings(checked)],
        rows=[_row(checked, row) for row in checked.rows],
    )


def _row(checked: Checked, row: CheckedRow) -> PlannedRow:
    moment = row.row.publish_at
    return PlannedRow(
        index=row.row.position,
        ok=not row.faults,
        publish_at=moment if moment < LATEST else None,
        errors=faults_of(checked, row),
        posts=warned.posts(row),
    )


def faults_of(checked: Checked, row: CheckedRow) -> list[FaultOfRow]:
    return [
        FaultOfRow(code=fault.code, message=fault.message, field=fault.field, remedy=fault.remedy)
        for fault in checked.order.named(row.faults)
    ]


def _warnings(checked: Checked, totals: Totals) -> Iterator[PlanWarning]:
    policy = checked.order.late_policy
    if totals.late and policy != LatePolicy.PUBLISH:
        word = "left out" if policy == LatePolicy.SKIP else "held until you let them go"
        yield PlanWarning(
            code=f"late_{policy}",
            message=f"{len(totals.late)} posts will be late, and so {word}",
            indexes=sorted({checked.posts[number].row.position for number in totals.late}),
        )
