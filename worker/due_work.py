"""Due work: asks the database, in one statement, which steps of the rounds would find something.

The queries are those by which the steps find their work, so a step that is not due would do
nothing. A step that is not named here would be done a minute late, with the next round of all steps
that beat sends in any case.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Engine,
    Select,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql.psycopg2 import dialect
from sqlalchemy.exc import SQLAlchemyError

from shared.accounts import channel_states, waits
from shared.config import Settings
from shared.domain.publishing.states import PostState
from shared.posts import bulk_cancel_retry, edits, late_policy
from shared.profiles import account_move, deletion
from shared.uploads import incoming_uploads
from worker import sweep
from worker.accounts import (
    organization_lookup,
    outage_probe,
    server_turns,
    stalled_servers,
)
from worker.media import fetch_run, lost_uploads
from worker.publishing import (
    blocked_reasons,
    cancel,
    reconcile,
    track,
    unreachable_posts,
    waiting_edits,
)
from worker.schedules import fire
from worker.staging import (
    channel_watch,
    deferred_validation,
    draft_adoption,
    lost_calls,
    orphan_drafts,
    submissions,
)
from worker.webhooks import channel_events, deliver

#: What each step would find, by its name in worker/sweep.py.
Queries = Mapping[str, Sequence[Select[*tuple[Any, ...]]]]


def tick_queries() -> Queries:
    return {
        "pressroom.release": [server_turns.releasable_query()],
        "pressroom.reconcile": [reconcile.due_accounts_query()],
        "pressroom.track": track.due_accounts_queries(),
        "pressroom.cancel": cancel.due_accounts_queries(),
        "find_deliveries": [deliver.due_webhooks_query()],
    }


def waiting_queries() -> Queries:
    return {
        "pressroom.stage": [
            submissions.due_accounts_query(),
            draft_adoption.due_accounts_query(),
            channel_watch.due_accounts_query(),
            deferred_validation.due_accounts_query(),
        ],
        "pressroom.litter": [orphan_drafts.due_accounts_query()],
        "pressroom.meet": [organization_lookup.due_accounts_query()],
        "pressroom.probe": [outage_probe.due_accounts_query()],
        "find_uploads": [sweep.waiting_uploads_query()],
        "find_fetches": [fetch_run.first_fetches_query()],
        "find_moves": [account_move.profiles_to_move_query()],
        "find_removals": [deletion.marked_profiles_query()],
        "finish_jobs": [sweep.ended_jobs_query()],
    }


def rescue_queries(lease_seconds: float, outcome_unknown_seconds: float) -> Queries:
    unreachable = unreachable_posts.is_unreachable(outcome_unknown_seconds)
    conditions: Mapping[str, Sequence[ColumnElement[bool]]] = {
        "rescue_calls": lost_calls.is_lost(lease_seconds),
        "give_up_calls": lost_calls.is_hopeless(),
        "look_again": waits.is_expired(),
        "take_back": [bulk_cancel_retry.is_cancel_due()],
        "explain_scheduled": blocked_reasons.is_unexplained(),
        "give_up_scheduled": blocked_reasons.is_given_up(),
        "cancel_left_drafts": unreachable_posts.is_left_draft(),
        "give_up_unreachable": unreachable,
        "give_up_taken_back": unreachable_posts.is_taken_back_unseen(outcome_unknown_seconds),
        "give_up_old": unreachable_posts.is_old(),
        "apply_edits": edits.is_due(),
        "drop_edits": waiting_edits.is_unreachable(),
        "judge_servers": [stalled_servers.may_change()],
        "try_channels": channel_states.is_trial_due(),
        "tell_channels": [channel_events.is_untold()],
        "late_pending": late_policy.is_to_be_stopped(PostState.PENDING),
        "late_unapproved": late_policy.is_to_be_stopped(PostState.WAITING_APPROVAL),
        "late_staged": late_policy.is_to_be_stopped(PostState.STAGED),
        "rescue_uploads": lost_uploads.is_lost(),
        "give_up_uploads": lost_uploads.is_exhausted(),
        "expire_uploads": incoming_uploads.is_expired(),
    }
    return {name: [select(literal(1)).where(*which)] for name, which in conditions.items()}


def ask_for_steps(lease_seconds: float, outcome_unknown_seconds: float) -> CompoundSelect[str, str]:
    """Answers with the steps that are due, each after the task of its round."""
    rounds: Mapping[str, Queries] = {
        "pressroom.tick": tick_queries(),
        "pressroom.schedules": {"fire": [fire.due_schedules_query()]},
        "pressroom.sweep": {
            **waiting_queries(),
            **rescue_queries(lease_seconds, outcome_unknown_seconds),
        },
    }
    return union_all(
        *(
            select(literal(task), literal(step)).where(or_(*(query.exists() for query in queries)))
            for task, steps in rounds.items()
            for step, queries in steps.items()
        )
    )


class DueWork:
    """A connection of its own, on which the statement is prepared once: its plan costs more than
    its answer."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._connection: Connection | None = None

    def find_due_steps(self) -> dict[str, list[str]]:
        """The steps that would find something now, by the task of their round.

        Raises `SQLAlchemyError` if the database cannot be asked; the next call connects again.
        """
        found: dict[str, list[str]] = defaultdict(list)
        try:
            connection = self._connection or self._connect()
            for task, step in connection.exec_driver_sql("EXECUTE due_steps"):
                found[task].append(step)
            return dict(found)
        except SQLAlchemyError:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _connect(self) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection = connection
        ages = self._settings.lease_seconds, self._settings.outcome_unknown_seconds
        connection.exec_driver_sql(f"PREPARE due_steps AS {_write_question(*ages)}")
        return connection


@lru_cache(maxsize=4)
def _write_question(lease_seconds: float, outcome_unknown_seconds: float) -> str:
    """To write it takes as long as to ask it twenty times."""
    question = ask_for_steps(lease_seconds, outcome_unknown_seconds)
    postgres = dialect()  # type: ignore[no-untyped-call]
    return str(question.compile(dialect=postgres, compile_kwargs={"literal_binds": True}))
