"""The control arm: workers that stage anew right after an unknown release, without parking.

They also leave the abandoned draft where it is: cleaning up would save some of them by chance.

Python imports this at its start where the folder is on PYTHONPATH. The audit must find duplicates.
"""

import sys
from typing import Any

if "celery" in sys.orig_argv and "worker" in sys.orig_argv:
    from shared.domain.publishing import reconciliation
    from worker.publishing import reconcile
    from worker.staging import orphan_drafts

    def careless(state: str | None, **facts: Any) -> reconciliation.SettleStep:
        """A draft that still stands when it is first looked at is taken for never released."""
        if state == reconciliation.DRAFT:
            return reconciliation.Bury()
        return reconciliation.reconcile_step(state, **facts)

    reconcile.reconcile_step = careless  # type: ignore[attr-defined]
    orphan_drafts.delete_orphans = lambda *_: None
