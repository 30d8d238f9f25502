"""Whose things a caller may see and change: every query that answers or acts for it names this.

A condition of the query itself, never a check of what the query has found: who uses an account, or
is named by a webhook, may change in between.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, any_, exists, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.errors import FieldError, Forbidden, NotFound, Unprocessable
from shared.models import (
    Account,
    AccountMedia,
    AgentPlan,
    ApiKey,
    ApprovalLink,
    AuditEntry,
    Base,
    CalendarLink,
    Delivery,
    IncomingUpload,
    Job,
    Media,
    Post,
    Profile,
    Schedule,
    SettingsHold,
    Submission,
    User,
    Webhook,
)
from shared.models.base import is_id

T = TypeVar("T", bound=Base)

#: Tables whose rows belong to one profile: the column that names it.
OF_ONE: Mapping[type[Base], InstrumentedAttribute[str]] = {
    AccountMedia: AccountMedia.profile_id,
    AgentPlan: AgentPlan.profile_id,
    IncomingUpload: IncomingUpload.profile_id,
    ApprovalLink: ApprovalLink.profile_id,
    Job: Job.profile_id,
    Media: Media.profile_id,
    Post: Post.profile_id,
    Profile: Profile.id,
    Schedule: Schedule.profile_id,
    SettingsHold: SettingsHold.profile_id,
    Submission: Submission.profile_id,
}
#: Tables whose rows are about several profiles, or (None) about all.
OF_MANY: Mapping[type[Base], InstrumentedAttribute[Any]] = {
    ApiKey: ApiKey.profile_ids,
    AuditEntry: AuditEntry.profile_ids,
    CalendarLink: CalendarLink.profile_ids,
    Delivery: Delivery.profile_ids,
    User: User.profile_ids,
    Webhook: Webhook.profile_ids,
}
#: What callers name by an id in a path, in their words.
_NOUNS: Mapping[type[Base], str] = {
    Account: "account",
    ApiKey: "key",
    ApprovalLink: "approval link",
    CalendarLink: "calendar link",
    Delivery: "delivery",
    IncomingUpload: "upload",
    Job: "job",
    Media: "medium",
    Post: "post",
    Schedule: "schedule",
    User: "user",
    Webhook: "webhook",
}


@dataclass(frozen=True)
class VisibleProfiles:
    """`ids`: these profiles; None: all that there are. No profile at all sees nothing at all."""

    ids: frozenset[str] | None

    @classmethod
    def only(cls, profile_ids: Iterable[str]) -> "VisibleProfiles":
        return cls(frozenset(profile_ids))

    def sees(self, profile_id: str) -> bool:
        return self.ids is None or profile_id in self.ids

    def sees_all(self, profile_ids: Collection[str] | None) -> bool:
        """Of what is about these profiles (None: about all); what is about none is nobody's."""
        if self.ids is None:
            return True
        return bool(profile_ids) and self.ids.issuperset(profile_ids or ())

    def narrowed_to(self, profile_id: str) -> "VisibleProfiles":
        return VisibleProfiles.only({profile_id} if self.sees(profile_id) else ())

    def condition(self, table: type[Base]) -> ColumnElement[bool]:
        """Which rows of `table` are about these profiles, and about no other."""
        if table is Account:  # by those who use it now
            return exists().where(Profile.account_id == Account.id, self.condition(Profile))
        if self.ids is None:
            return true()
        if table in OF_ONE:
            return OF_ONE[table].in_(sorted(self.ids))
        column = OF_MANY[table]
        within = func.cardinality(column) > 0, column.contained_by(sorted(self.ids))
        return and_(*within, _is_of_present_profiles()) if table is AuditEntry else and_(*within)

    def concerned_condition(self, table: type[Base]) -> ColumnElement[bool]:
        """Which rows of `table` are about any of these profiles, whomever else they are about."""
        if self.ids is None:
            return true()
        return or_(OF_MANY[table].is_(None), OF_MANY[table].overlap(sorted(self.ids)))


def _is_of_present_profiles() -> ColumnElement[bool]:
    """The audit trail outlives profiles, and their ids may be given to other clients."""
    younger = Profile.id == any_(AuditEntry.profile_ids), Profile.created_at > AuditEntry.at
    return ~exists().where(*younger).correlate(AuditEntry)


#: Of an unbound key, and of work that serves everybody.
EVERY_PROFILE = VisibleProfiles(None)


def load_visible(
    session: Session,
    table: type[T],
    row_id: str,
    visible: VisibleProfiles,
    *,
    lock: bool = False,
    also: Sequence[ColumnElement[bool]] = (),
) -> T:
    """The row, if it meets `also` too; with `lock`, held against other writers.

    Raises `NotFound` alike for what does not exist and for what is not these profiles'.
    """
    row = None
    if is_id(row_id):
        key: InstrumentedAttribute[int] = table.id  # type: ignore[attr-defined]
        query = select(table).where(key == int(row_id), visible.condition(table), *also)
        if lock:
            query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
        row = session.scalar(query)
    if row is None:
        raise NotFound(f"There is no {_NOUNS[table]} {row_id!r}")
    return row


def keep_visible_profiles(
    session: Session, wanted: Collection[str] | None, visible: VisibleProfiles
) -> list[str] | None:
    """`wanted`, each once; none of them is deleted before we commit.

    So nothing is ever bound to a profile that is gone, whose name may be given to another client.
    Raises `Forbidden` for all profiles where only some are visible, and `Unprocessable` for what is
    not visible.
    """
    if wanted is None:
        if visible.ids is not None:
            raise Forbidden("You are bound to profiles: name the profiles")
        return None
    query = select(Profile.id).where(Profile.id.in_(wanted), visible.condition(Profile))
    locked = query.order_by(Profile.id).with_for_update(read=True, key_share=True)
    known = set(session.scalars(locked))
    faults = [
        FieldError(field=f"profile_ids.{index}", message=f"there is no profile {name!r}")
        for index, name in enumerate(wanted)
        if name not in known
    ]
    if faults or not wanted:
        raise Unprocessable("Some of these profiles do not exist", fields=faults)
    return list(dict.fromkeys(wanted))
