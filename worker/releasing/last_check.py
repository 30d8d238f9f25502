"""The last check before the first byte of a release: asked for all that are about to be sent.

A call asks when its connection is open. While one question is under way, the calls that want to ask
wait, and the next question is for all of them. So an answer is never older than its question, and
the busier a process is, the fewer statements a call costs.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, Select, func, select

from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, Paused, PressroomError, SettingsChanged
from shared.models import Account, Post, Profile
from worker.accounts.eligibility import may_go

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


class LastCheck:
    """Asks the database for many releases at once; thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Question] = []
        self._lock = threading.Lock()
        self._asking = threading.Lock()

    def require_allowed(self, check: ReleaseCheck) -> None:
        """Return if the release may be sent now.

        Raises `ClaimLost` if the post is not ours, `SettingsChanged` if the settings are not the
        current ones, and `Paused` if the post may not be published.
        """
        question = _Question(check)
        with self._lock:
            self._waiting.append(question)
        with self._asking:  # whoever comes in here asks for all that came before
            if not question.is_answered:
                self._ask_for_all()
        if question.error is not None:
            raise question.error
        refusal = _refusal_of(check, question.answer)
        if refusal is not None:
            raise refusal

    def _ask_for_all(self) -> None:
        with self._lock:
            questions, self._waiting = self._waiting, []
        answers: dict[int, _ClaimedRow] = {}
        failure: Exception | None = None
        try:
            answers = self._read_rows([question.check.post_id for question in questions])
        except Exception as error:  # each of the callers raises it
            failure = error
        for question in questions:
            question.answer = answers.get(question.check.post_id)
            question.error, question.is_answered = failure, True

    def _read_rows(self, post_ids: Sequence[int]) -> dict[int, _ClaimedRow]:
        with self._database.transaction() as session:
            return {row.id: row for row in session.execute(_claimed_query(post_ids))}


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
