"""The evidence of a run: what was accepted, what the database says, what the ledger saw."""

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from shared.accounts import holds
from shared.domain.publishing.states import PostState
from shared.models import (
    Account,
    AccountMedia,
    Delivery,
    Event,
    Handover,
    Job,
    Post,
    Profile,
    Schedule,
    ScheduleRun,
)
from tests.chaos.arena import Arena
from tests.chaos.audience import Audience
from tests.chaos.diary import Diary, origin
from tests.chaos.load import Accepted, Wanted
from tests.chaos.neighbour import NAME, Created
from tests.chaos.people import EDITED
from tests.chaos.stubborn import KILLED, stubborn
from tests.chaos.timetable import Timetable
from tests.servers.receiver import Heard
from tests.timing.delays import Delay, delays_in, is_ours

State = PostState
#: States of which nothing more is to come.
ENDED = frozenset({State.PUBLISHED, State.FAILED, State.CANCELLED, State.DRAFT})
#: A post that Postiz's calendar holds for later than this is settled as `scheduled`.
LATER = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    accepted: Sequence[Wanted]
    accounts: Mapping[int, Account]
    profiles: Mapping[str, Profile]
    held: Sequence[tuple[str, str]]  # profile, and why its key is not used
    jobs: Sequence[Job]
    uploads: Sequence[AccountMedia]
    neighbour: Created
    heard: Sequence[Heard]  # by the receiver of a webhook
    taken: Sequence[Heard]  # what it did not refuse of that
    posts: Sequence[Post]
    timetable: Timetable
    schedules: Sequence[Schedule]
    runs: Sequence[ScheduleRun]
    events: Mapping[int, Sequence[Event]]
    handovers: Sequence[Handover]
    sends: Sequence[Mapping[str, Any]]
    remote: Mapping[str, Mapping[str, Any]]  # the sandbox's posts by id
    requests: Sequence[Mapping[str, Any]]
    delays: Sequence[Delay]  # of the machine itself
    other: Mapping[str, Sequence[Mapping[str, Any]]]  # the ledger's other kinds
    orgs: Sequence[Mapping[str, Any]]

    @cached_property
    def sends_of(self) -> Mapping[Wanted, Sequence[Mapping[str, Any]]]:
        found = defaultdict(list)
        for send in self.sends:
            content = origin(send["content"].removesuffix(EDITED))
            if not content.startswith(NAME):
                found[Wanted(send["org"], send["integration"], content)].append(send)
        return found

    @cached_property
    def asked(self) -> Counter[Wanted]:
        """What was accepted over HTTP, and what each run of a schedule is to publish."""
        return Counter([*self.accepted, *self._scheduled()])

    def _scheduled(self) -> Iterator[Wanted]:
        by_id = {schedule.id: schedule for schedule in self.schedules}
        for run in self.runs:
            if run.job_id is not None:
                body = by_id[run.schedule_id].body
                [integration] = body["integration_ids"]
                for item in body["items"]:
                    yield Wanted(integration.rpartition("-")[0], integration, item["caption"])

    def sends_for(self, post: Post) -> Sequence[Mapping[str, Any]]:
        """Of this post: by its content, or by its ids where others say the same."""
        sends = self.sends_of.get(wanted(post), [])
        if self.asked[wanted(post)] <= 1:
            return sends
        return [send for send in sends if self.owner.get(send["post"]) == post.id]

    @cached_property
    def owner(self) -> Mapping[str, int]:
        return {row.postiz_id: row.post_id for row in self.handovers}

    @cached_property
    def never_published(self) -> frozenset[str]:
        """Told by the sandbox, or killed in the middle of the release."""
        told = (row["post"] for row in self.other["never_published"])
        killed = (
            row["params"]["id"] for row in self.requests if row.get("fault") == "killed_in_release"
        )
        return frozenset([*told, *killed])

    @cached_property
    def refused_by_network(self) -> frozenset[str]:
        return frozenset(row["post"] for row in self.other["publish_error"])

    @cached_property
    def not_published(self) -> frozenset[str]:
        return self.never_published | self.refused_by_network

    @cached_property
    def alive(self) -> frozenset[str]:
        return frozenset(row.postiz_id for row in self.handovers if row.buried_at is None)


OTHER_KINDS = ("part", "never_published", "publish_error", "status", "created", "parked", "deleted")


def wanted(post: Post) -> Wanted:
    """The organization is part of the ids of its channels."""
    return Wanted(post.integration_id.rpartition("-")[0], post.integration_id, origin(post.content))


def collect(
    arena: Arena,
    accepted: Accepted,
    timetable: Timetable,
    neighbour: Created,
    audience: Audience,
) -> Evidence:
    with arena.database.transaction() as session:
        posts = session.scalars(select(Post).order_by(Post.id)).all()
        accounts = {row.id: row for row in session.scalars(select(Account))}
        profiles = {row.id: row for row in session.scalars(select(Profile))}
        held = [(row.profile_id, row.reason) for row in holds.list_held(session)]
        jobs = session.scalars(select(Job).order_by(Job.id)).all()
        uploads = session.scalars(select(AccountMedia).order_by(AccountMedia.id)).all()
        handovers = session.scalars(select(Handover).order_by(Handover.id)).all()
        schedules = session.scalars(select(Schedule).order_by(Schedule.id)).all()
        runs = session.scalars(select(ScheduleRun).order_by(ScheduleRun.id)).all()
        events: dict[int, list[Event]] = defaultdict(list)
        for event in session.scalars(select(Event).order_by(Event.id)):
            events[event.post_id].append(event)
    noted = arena.ledger("request")
    return Evidence(
        accepted=accepted.posts,
        accounts=accounts,
        profiles=profiles,
        held=held,
        jobs=jobs,
        uploads=uploads,
        neighbour=neighbour,
        heard=list(audience.heard),
        taken=list(audience.taken),
        posts=posts,
        timetable=timetable,
        schedules=schedules,
        runs=runs,
        events=events,
        handovers=handovers,
        sends=arena.ledger("send"),
        remote={row["id"]: row for row in arena.sandbox.posts()},
        requests=[row for row in noted if not is_ours(row)],
        delays=delays_in(noted),
        other={kind: arena.ledger(kind) for kind in OTHER_KINDS},
        orgs=arena.sandbox.stats()["orgs"],
    )


def is_settled(post: Post, never_published: frozenset[str]) -> bool:
    if post.state in ENDED:
        return True
    later = post.publish_at > datetime.now(UTC) + LATER
    stuck = post.postiz_post_id in never_published
    return post.state == State.SCHEDULED and (later or stuck)


def wait_until_settled(arena: Arena, audience: Audience, diary: Diary, *, patience: float) -> bool:
    """Whether all was settled in time, and cleared away; then a little more, for what is late."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if _unsettled(arena, audience, diary) == 0 and _littered(arena, diary) == 0:
            time.sleep(5)
            return True
        time.sleep(2)
    return False


def litter(
    remote: Iterable[Mapping[str, Any]], alive: Collection[str], diary: Diary
) -> Iterator[Mapping[str, Any]]:
    """Drafts of ours in Postiz that no post owns any more; what a person edited is the person's.

    Those that Postiz does not delete, or move, are left to a person.
    """
    left = stubborn(diary)
    for row in remote:
        if origin(row["content"]) in left:
            continue
        ours = not row["content"].startswith(NAME) and not row["content"].endswith(EDITED)
        if ours and row["state"] == "DRAFT" and not row["deleted"] and row["id"] not in alive:
            yield row


def _littered(arena: Arena, diary: Diary) -> int | None:
    try:
        with arena.database.transaction() as session:
            query = select(Handover.postiz_id).where(Handover.buried_at.is_(None))
            alive = set(session.scalars(query))
    except SQLAlchemyError:
        return None
    return len(list(litter(arena.sandbox.posts(), alive, diary)))


def _unsettled(arena: Arena, audience: Audience, diary: Diary) -> int | None:
    """None while the database is away."""
    never = frozenset(row["post"] for row in arena.ledger("never_published"))
    try:
        with arena.database.transaction() as session:
            open_posts = session.scalars(select(Post).where(Post.state.not_in(ENDED))).all()
            open_uploads = session.scalars(
                select(func.count()).where(AccountMedia.state.in_(("pending", "uploading")))
            ).one()
            waiting = Delivery.state == "pending", Delivery.webhook_id == audience.webhook_id
            to_tell = session.scalars(select(func.count()).where(*waiting)).one()
    except SQLAlchemyError:
        return None
    killed = diary.details(KILLED)
    waiting_posts = [post for post in open_posts if origin(post.content) not in killed]
    return open_uploads + to_tell + sum(not is_settled(post, never) for post in waiting_posts)


def progress(arena: Arena) -> str:
    """One line for whoever watches."""
    try:
        with arena.database.transaction() as session:
            rows = session.execute(select(Post.state, func.count()).group_by(Post.state))
            states = ", ".join(f"{number} {state}" for state, number in rows)
    except SQLAlchemyError:
        states = "database away"
    return f"{time.time() - arena.began:5.0f} s  {states}"
