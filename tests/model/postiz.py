"""A model of Postiz in its true small steps: drafts, requests, workflows, strays.

What each step is like is in docs/POSTIZ.md, "Releasing a draft" and "How much Postiz can take".
Whatever stands between two steps here may be overtaken by anything else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from shared.domain.publishing.reconciliation import DRAFT, ERROR, PUBLISHED, QUEUE


class At:
    """How far a workflow is: from SENDING on the send happens, whatever becomes of it."""

    NONE, NEW, ASLEEP, ASLEEP_TO_2099 = "none", "new", "asleep", "asleep to 2099"
    SENDING, SENT = "sending", "sent"


class Remote(NamedTuple):
    """One post as Postiz has it."""

    state: str = DRAFT
    far: bool = False  # dated 2099, else due
    deleted: bool = False
    stray: bool = True  # the pass after its creation has yet to come
    workflow: str = At.NONE
    loose: int = 0  # sends under way that have lost their workflow
    sends: int = 0  # how often it went to the network
    listed: bool = False  # by the missing-post sweep, which will restart it
    unmovable: bool = False  # every move to 2099 is refused
    undeletable: bool = False  # every delete is refused
    revision: int = 1  # of the post as it was when the draft was made


class RemoteStep(NamedTuple):
    words: str
    remote: Remote
    fault: bool = False


# requests, step by step


def _queue(remote: Remote) -> Remote:
    """There is no guard: a deleted, a published post becomes QUEUE as well."""
    return remote._replace(state=QUEUE)


def _terminate(remote: Remote) -> Remote:
    """The workflow ends where it is; a send that is under way goes on without it."""
    loose = remote.loose + (remote.workflow == At.SENDING)
    return remote._replace(workflow=At.NONE, loose=loose)


def _start(remote: Remote) -> Remote:
    return _terminate(remote)._replace(workflow=At.NEW)


def _mark_deleted(remote: Remote) -> Remote:
    return remote._replace(deleted=not remote.undeletable)


def _terminate_deleted(remote: Remote) -> Remote:
    return remote if remote.undeletable else _terminate(remote)


def _move_to_2099(remote: Remote) -> Remote:
    """In place, whatever its state; a deleted post stays deleted; no workflow is touched."""
    return remote._replace(far=not remote.unmovable)


PUT, UPDATE, DELETE = "status change", "move to 2099", "delete"
REQUESTS: Mapping[str, Sequence[tuple[str, Callable[[Remote], Remote]]]] = {
    PUT: (
        ("the row becomes QUEUE", _queue),
        ("its workflow is searched and terminated", _terminate),
        ("a workflow is started", _start),
    ),
    UPDATE: (("the row is dated 2099", _move_to_2099),),
    DELETE: (
        ("the row is marked deleted", _mark_deleted),
        ("its workflow is searched and terminated", _terminate_deleted),
    ),
    "none": (),
}


class Request(NamedTuple):
    """A call of ours inside Postiz, or on its way there; `done` counts the steps behind it."""

    kind: str
    draft: int
    done: int = 0

    @property
    def is_over(self) -> bool:
        return self.done == len(REQUESTS[self.kind])

    def is_refused(self, remote: Remote) -> bool:
        """Whether Postiz answers that it did not do it."""
        moves, deletes = self.kind == UPDATE, self.kind == DELETE
        return (moves and remote.unmovable) or (deletes and remote.undeletable)


NO_CALL = Request("none", -1)


@cache
def advance(request: Request, remote: Remote) -> tuple[str, Request, Remote]:
    """The request's next step: in words, and what it makes of the request and of the post."""
    words, change = REQUESTS[request.kind][request.done]
    return (
        f"in Postiz, the {request.kind} of draft {request.draft + 1}: {words}",
        request._replace(done=request.done + 1),
        change(remote),
    )


def run_whole(request: Request, remote: Remote) -> tuple[Request, Remote]:
    """All steps of the request as one, as they are not in the real Postiz."""
    while not request.is_over:
        _, request, remote = advance(request, remote)
    return request, remote


def look(remote: Remote) -> tuple[str, bool] | None:
    """What `GET /posts` shows: the state and whether it is dated 2099."""
    return None if remote.deleted else (remote.state, remote.far)


# what Postiz does by itself


@cache
def own_steps(remote: Remote, *, sweeps: bool, due: bool = True) -> Sequence[RemoteStep]:
    """`due`: its date has come; until then a workflow sleeps, and no search finds it late."""
    return tuple(_own_steps(remote, sweeps=sweeps, due=due))


def _own_steps(remote: Remote, *, sweeps: bool, due: bool) -> Iterator[RemoteStep]:
    if due or remote.workflow != At.ASLEEP:
        yield from _workflow_steps(remote)
    if remote.loose:
        sent = remote._replace(loose=remote.loose - 1, sends=_one_more(remote))
        yield RemoteStep("a send that outlived its workflow reaches the network", sent)
    if remote.stray:
        passed = _terminate(remote)._replace(stray=False)
        yield RemoteStep("the stray pass after the creation terminates its workflow", passed)
    if sweeps and due:
        yield from _sweep_steps(remote)


def _workflow_steps(remote: Remote) -> Iterator[RemoteStep]:
    match remote.workflow:
        case At.NEW:
            asleep = At.ASLEEP_TO_2099 if remote.far else At.ASLEEP
            yield _read("the workflow reads the post and sleeps until its date", remote, asleep)
        case At.ASLEEP:
            yield _read("the workflow reads the post again, to send it", remote, At.SENDING)
        case At.SENDING:
            sent = remote._replace(workflow=At.SENT, sends=_one_more(remote))
            yield RemoteStep("the post is SENT to the network", sent)
            refused = remote._replace(state=ERROR)
            ends = refused._replace(workflow=At.NONE)
            yield RemoteStep("the network refuses the post, for good", ends, fault=True)
            yield RemoteStep("the network refuses the post, to be tried again", refused, fault=True)
        case At.SENT:
            published = remote._replace(workflow=At.NONE, state=PUBLISHED)
            yield RemoteStep("the row becomes PUBLISHED", published)


def _read(words: str, remote: Remote, then: str) -> RemoteStep:
    if remote.deleted or remote.state != QUEUE:
        return RemoteStep(
            "the workflow reads the post and stops", remote._replace(workflow=At.NONE)
        )
    return RemoteStep(words, remote._replace(workflow=then))


def _one_more(remote: Remote) -> int:
    return min(2, remote.sends + 1)  # beyond two nothing new can be learned


def _sweep_steps(remote: Remote) -> Iterator[RemoteStep]:
    """Of the search for QUEUE posts that are late and have no workflow: list, then restart."""
    late = remote.state == QUEUE and not remote.far and not remote.deleted
    if remote.listed:
        restarted = _start(remote)._replace(listed=False)
        yield RemoteStep("the missing-post sweep restarts the post", restarted)
    elif late and remote.workflow == At.NONE:
        listed = remote._replace(listed=True)
        yield RemoteStep("the missing-post sweep lists the post as late", listed)
