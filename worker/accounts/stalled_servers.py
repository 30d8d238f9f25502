"""Stalled servers: notices that a Postiz takes posts and publishes none, and holds back the rest.

What waits goes out at the server's pace once something is published again, so never in a burst.
"""

from sqlalchemy import ColumnElement, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.accounts import server_health
from shared.domain.publishing.server_verdicts import is_stalled
from shared.domain.webhook_retries import SERVER_RECOVERED, SERVER_STALLED
from shared.log import get_logger
from shared.models import Server
from shared.webhooks import outbox

log = get_logger("servers")


def may_change() -> ColumnElement[bool]:
    """Whether a server may have stalled, or may publish again."""
    overdue = select(literal(1)).where(*server_health.is_overdue()).exists()
    return or_(overdue, select(literal(1)).where(is_stalled_now()).exists())


def is_stalled_now() -> ColumnElement[bool]:
    return Server.stalled_since.is_not(None)


def judge_servers(session: Session) -> None:
    """Mark servers that have stalled, and those that publish again; tell each change once."""
    stuck = server_health.count_stuck(session)
    stalled = {server for server, posts in stuck.items() if is_stalled(posts)}
    known = set(session.scalars(select(Server.server).where(is_stalled_now())))
    for server in sorted(stalled - known):
        row = insert(Server).values(server=server, stalled_since=func.now())
        marked = row.on_conflict_do_update(
            index_elements=["server"],
            set_={"stalled_since": func.now()},
            where=Server.stalled_since.is_(None),
        )
        if session.scalar(marked.returning(Server.server)) is not None:
            log.warning("a server has stalled", server=server, overdue=stuck[server])
            outbox.enqueue_server_event(session, server, SERVER_STALLED)
    for server in sorted(known - stalled):
        freed = update(Server).where(Server.server == server, Server.stalled_since.is_not(None))
        query = freed.values(stalled_since=None).returning(Server.server)
        if session.scalar(query) is not None:
            log.info("a server publishes again", server=server)
            outbox.enqueue_server_event(session, server, SERVER_RECOVERED)
