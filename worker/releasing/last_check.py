"""The last check before the first byte of a release: asked for all that are about to be sent.

A call asks when its connection is open. While one question is under way, the calls that want to ask
wait, and the next question is for all of them. So the busier a process is, the fewer statements a
call costs. Who was answered waits for no later question, and asks again if it gets to run late: an
answer that is used is never older than a moment.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, Select, func, select

from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, Paused, PressroomError, SettingsChanged
from shared.models import Account, Post, Profile
from worker.accounts.eligibility import may_go

#: A thread that gets to run so long after its answer (seconds) asks again, so many times.
FRESH_SECONDS = 0.05
TRIES = 20

_ClaimedRow = Row[int, int, bool, int, str | None]


@dataclass(frozen=True, kw_only=True)
class ReleaseCheck:
    """A release under a claim, and the settings with which it would be sent."""

    post_id: int
    claim: int
    version: int
    base_url: str


@dataclass
class _Question:
    check: ReleaseCheck
    answer: _ClaimedRow | None = None
    error: Exception | None = None
    is_answered: bool = False
    answered_at: float = 0.0


class LastCheck:
    """Asks the database for many releases at once; thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Question] = []
        self._is_asking = False
        self._changed = threading.Condition()

    def require_allowed(self, check: ReleaseCheck) -> None:
        """Return if the release may be sent now.

        Raises `ClaimLost` if the post is not ours, `SettingsChanged` if the settings are not the
        current ones, and `Paused` if the post may not be published, or this thread does not get to
        run in time.
        """
        for _ in range(TRIES):
            question = self._ask(check)
            if question.error is not None:
                raise question.error
            refusal = _refusal_of(check, question.answer)
            if refusal is not None:
                raise refusal
            if time.monotonic() - question.answered_at < FRESH_SECONDS:
                return
        raise Paused("this process is too busy to send what it has just checked")

    def _ask(self, check: ReleaseCheck) -> _Question:
        """Answered: by the thread that asks now, or by this one."""
        question = _Question(check)
        with self._changed:
            self._waiting.append(question)
            self._changed.wait_for(lambda: question.is_answered or not self._is_asking)
            if question.is_answered:
                return question
            self._is_asking = True
            questions, self._waiting = self._waiting, []
        try:
            self._answer(questions)
        finally:
            with self._changed:
                self._is_asking = False
                self._changed.notify_all()
        return question

    def _answer(self, questions: Sequence[_Question]) -> None:
        answers: dict[int, _ClaimedRow] = {}
        failure: Exception | None = Paused("the last check did not come to its end")
        try:
            answers = self._read_rows([question.check.post_id for question in questions])
            failure = None
        except Exception as error:  # each of the callers raises it
            failure = error
        finally:
            for question in questions:
                question.answer = answers.get(question.check.post_id)
                question.answered_at = time.monotonic()
                question.error, question.is_answered = failure, True

    def _read_rows(self, post_ids: Sequence[int]) -> dict[int, _ClaimedRow]:
        with self._database.statements() as connection:  # no commit between answer and call
            return {row.id: row for row in connection.execute(_claimed_query(post_ids))}


def _claimed_query(post_ids: Sequence[int]) -> Select[int, int, bool, int, str | None]:
    return (
        select(
            Post.id,
            Post.claim,
            may_go().label("may_publish"),
            Profile.settings_version,
            Account.base_url,
        )
        .join(Profile, Profile.id == Post.profile_id)
        .outerjoin(Account, Account.id == Profile.account_id)
        .where(
            Post.id.in_(post_ids),
            Post.state == PostState.RELEASING,
            Post.lease_until > func.clock_timestamp(),
        )
    )


def _refusal_of(check: ReleaseCheck, row: _ClaimedRow | None) -> PressroomError | None:
    if row is None or row.claim != check.claim:
        return ClaimLost(f"post {check.post_id} is no longer ours to release")
    if (row.settings_version, row.base_url) != (check.version, check.base_url):
        return SettingsChanged("the settings of its profile have changed")
    if not row.may_publish:
        return Paused("held back before it was released")
    return None
