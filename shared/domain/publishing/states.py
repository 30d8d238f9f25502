"""The states of a post and of a job, and the allowed transitions."""

from collections.abc import Mapping
from enum import StrEnum

from shared.errors import IllegalTransition


class PostState(StrEnum):
    PENDING = "pending"  # nothing of it is in Postiz
    WAITING_APPROVAL = "waiting_approval"  # nothing of it is in Postiz until a person approves it
    HELD = "held"  # nothing of it is in Postiz, and it is late: by its policy it waits for a person
    STAGING = "staging"  # a call that creates its draft may be under way
    STAGED = "staged"  # a draft in Postiz, which never publishes by itself
    RELEASING = "releasing"  # a call that schedules the draft may be under way, or is unclear
    SCHEDULED = "scheduled"  # Postiz has it and will publish it at its time
    PUBLISHED = "published"  # on the network
    RESCHEDULING = "rescheduling"  # being deleted in Postiz, to be handed over anew as edited
    FAILED = "failed"  # will not be published, for the reason given
    CANCELLING = "cancelling"  # being deleted in Postiz
    CANCELLED = "cancelled"  # the user cancelled it before its release
    DRAFT = "draft"  # the user asked for a draft, and Postiz has it


S = PostState
TRANSITIONS: Mapping[PostState, frozenset[PostState]] = {
    # to waiting: nobody has approved its revision, and somebody has to
    S.PENDING: frozenset({S.STAGING, S.WAITING_APPROVAL, S.HELD, S.FAILED, S.CANCELLED}),
    S.WAITING_APPROVAL: frozenset({S.PENDING, S.HELD, S.FAILED, S.CANCELLED}),
    S.HELD: frozenset({S.PENDING, S.CANCELLED}),
    # back to pending: the call certainly failed, or left only orphan drafts
    S.STAGING: frozenset({S.STAGED, S.DRAFT, S.PENDING, S.FAILED, S.CANCELLING}),
    # back to pending: edited, our own acknowledged delete, or another account took over
    S.STAGED: frozenset({S.RELEASING, S.PENDING, S.HELD, S.CANCELLING, S.FAILED}),
    # back to staged: the status change was certainly not sent; to pending: parked and deleted
    S.RELEASING: frozenset({S.SCHEDULED, S.STAGED, S.PENDING, S.FAILED}),
    # to releasing: overdue, and a person asks for it, to have it parked, deleted and staged again
    S.SCHEDULED: frozenset({S.PUBLISHED, S.FAILED, S.CANCELLING, S.RELEASING, S.RESCHEDULING}),
    # to scheduled: too late, it will be published as it is
    S.RESCHEDULING: frozenset({S.PENDING, S.SCHEDULED, S.FAILED, S.CANCELLING}),
    S.CANCELLING: frozenset({S.CANCELLED, S.SCHEDULED, S.FAILED}),
    # Postiz sometimes reports a success late; a retry starts from the beginning
    S.FAILED: frozenset({S.PUBLISHED, S.PENDING}),
    S.DRAFT: frozenset({S.CANCELLING, S.RESCHEDULING}),
    S.PUBLISHED: frozenset(),
    S.CANCELLED: frozenset({S.PENDING}),
}
del S

#: States that a job does not wait for. A post that Postiz has scheduled is done, unless it is in
#: doubt: Postiz is late with it, or reports an error so far. A held post is not done: its job waits
#: for a person as long as the post does.
DONE = frozenset(
    {
        PostState.SCHEDULED,
        PostState.PUBLISHED,
        PostState.FAILED,
        PostState.CANCELLED,
        PostState.DRAFT,
    }
)


def check_transition(source: PostState, target: PostState) -> None:
    """Raise `IllegalTransition` unless `target` may follow `source`."""
    if target not in TRANSITIONS[source]:
        raise IllegalTransition(f"a post that is {source} cannot become {target}")


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: The final states of an upload in a job, as in its row of `account_media`.
UPLOAD_DONE = frozenset({"uploaded", "failed"})


def count_done(counts: Mapping[str, int], *, in_doubt: int = 0) -> int:
    """How many of a job's posts (or uploads) it no longer waits for."""
    ended = sum(n for state, n in counts.items() if state in DONE or state in UPLOAD_DONE)
    return ended - in_doubt


def job_state(
    counts: Mapping[str, int], *, paused: bool, in_doubt: int = 0, overdue: int = 0
) -> JobState:
    """The state of a job, from the number of its posts (or uploads) in each state.

    `in_doubt`: scheduled posts whose outcome may still become known. `overdue`: scheduled posts
    that have been late for too long. These are an error, but not a failure: they may be published.
    """
    total = sum(counts.values())
    done = count_done(counts, in_doubt=in_doubt)
    failed = counts.get(PostState.FAILED, 0)
    if done < total:
        if paused and done + in_doubt < total:
            return JobState.PAUSED
        untouched = counts.get(PostState.PENDING, 0) == total
        return JobState.QUEUED if untouched else JobState.RUNNING
    if failed and failed == total:
        return JobState.FAILED
    if failed or overdue:
        return JobState.COMPLETED_WITH_ERRORS
    if total and counts.get(PostState.CANCELLED, 0) == total:
        return JobState.CANCELLED
    return JobState.COMPLETED
