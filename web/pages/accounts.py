"""Accounts: the Postiz organizations behind the profiles, with their budgets and backlogs."""

from collections.abc import Sequence
from itertools import accumulate

from flask import Response, request

from shared.accounts import budget_queries
from shared.accounts.budget_queries import AccountRead
from shared.jobs import etas
from shared.profiles import listing
from web.api.accounts import account_view
from web.auth import current_caller
from web.http_layer.pagination import decode_number, next_cursor
from web.pages.layout import create_reader_blueprint, show
from web.services import current_services

pages = create_reader_blueprint("account_pages")

ACCOUNTS = "/accounts"
AT_ONCE = 50
#: Open posts whose ends are reckoned while somebody waits for the page.
QUICK = 5_000


def _list_quick(rows: Sequence[AccountRead]) -> list[int]:
    """The accounts whose ends are soon found: for these all their open posts are read."""
    totals = accumulate(row.backlog for row in rows)
    return [row.account.id for row, total in zip(rows, totals, strict=True) if total < QUICK]


@pages.get(ACCOUNTS)
def show_accounts() -> Response:
    after = decode_number(request.args.get("cursor"))
    with current_services().database.transaction() as session:
        rows = budget_queries.read_profile_accounts(
            session, current_caller().visible, after=after, limit=AT_ONCE
        )
        drained = etas.drain_times(session, _list_quick(rows), current_services().settings)
        accounts = [account_view(row, drained) for row in rows]
        names = listing.names_of(session, (name for row in rows for name in row.profile_ids))
    return show(
        "accounts.html",
        title="Accounts",
        path="/channels",
        accounts=accounts,
        names=names,
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.account.id),
    )
