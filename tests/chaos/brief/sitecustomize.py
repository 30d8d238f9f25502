"""Short pauses between tries that keep coming to nothing, so that their ends fit into a run.

Python imports this at its start where the folder is on PYTHONPATH. The numbers of tries stay.
"""

from dataclasses import replace
from datetime import timedelta

from shared.domain.publishing import retry_limits

SHORTER = 6
LONGEST = timedelta(seconds=10)

for _name in ("DELETES", "ORPHAN_DELETES", "REFUSED_MOVES", "UNCLEAR_MOVES"):
    _long = getattr(retry_limits, _name)
    setattr(retry_limits, _name, replace(_long, first=_long.first / SHORTER, longest=LONGEST))
