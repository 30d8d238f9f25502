"""`python -m shared.first_admin`: a link that makes the first admin, while there is no user."""

import sys

from shared.config import Settings, read_settings
from shared.db import Database
from shared.people import one_time_links


def make_link(settings: Settings) -> str | None:
    """Its path; it works once, for an hour. None if there is a user."""
    database = Database.connect(settings, pool_size=1)
    try:
        with database.transaction() as session:
            return one_time_links.invite_first_admin(session)
    finally:
        database.close()


def main() -> None:
    settings = read_settings()
    path = make_link(settings)
    if path is None:
        sys.exit("there are users already: an admin invites others")
    sys.stdout.write(f"{settings.public_url or ''}{path}\n")


if __name__ == "__main__":
    main()
