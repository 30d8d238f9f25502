"""What a chaos run is asked for, and the short times that it runs with."""

from dataclasses import dataclass

from local.sandbox.timing import Timing

#: Seconds; CALL_TIMEOUT also makes the lease, which is twice as long.
CALL_TIMEOUT = 4.0
LEASE = 2 * CALL_TIMEOUT
UNKNOWN_RELEASE = 6.0
ERROR_FINAL = 5.0
OVERDUE = 20.0
WRITES_PER_SECOND = 100

#: As a real server showed it, but for Temporal's search quota: at 10 a second 5,000 posts, each
#: created, scheduled and sometimes deleted, would take half an hour for their searches alone.
SEARCHES_PER_SECOND = 400.0
#: A call of 300 posts takes a real server 3 s of the 20 that it has: so here 0.6 of 4.
ELEMENT_DELAY = 0.002
#: A status change takes a real server up to 9 s under load: 5,000 of these would take hours.
TIMING = Timing(
    queue_to_start=(0.05, 0.6),
    send_delay=(1.1, 4.0),
    notice_delay=(0.0, 1.0),
    search_rate=SEARCHES_PER_SECOND,
    search_burst=SEARCHES_PER_SECOND,
    element_delay=ELEMENT_DELAY,
    part_minute=1.0,
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """`minutes`: of load and injection; `patience`: seconds to settle after that."""

    seed: int
    posts: int
    accounts: int
    faults: int
    kills: int
    minutes: float
    patience: float = 420.0
    concurrency: int = 3
    outcome_unknown: float = 60.0
    failpoints: float = 0.001
    schedules: int = 6
    without: frozenset[str] = frozenset()  # acts of the script
    careless: bool = False
    proxy: bool = False  # everything of the stack's goes through a CONNECT proxy, over TLS

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def settings(self) -> dict[str, str]:
        """The stack's environment."""
        return {
            "PRESSROOM_SANDBOX": "0",
            "PRESSROOM_CONCURRENCY": str(self.concurrency),
            "PRESSROOM_SETTLE_SECONDS": "1.5",
            "PRESSROOM_UNKNOWN_RELEASE_SECONDS": str(UNKNOWN_RELEASE),
            "PRESSROOM_WRITES_PER_SECOND": str(WRITES_PER_SECOND),
            "PRESSROOM_CALL_TIMEOUT_SECONDS": str(CALL_TIMEOUT),
            "PRESSROOM_ERROR_FINAL_SECONDS": str(ERROR_FINAL),
            "PRESSROOM_OVERDUE_SECONDS": str(OVERDUE),
            "PRESSROOM_OUTCOME_UNKNOWN_SECONDS": str(self.outcome_unknown),
            "PRESSROOM_FAILPOINTS": f"*={self.failpoints}" if self.failpoints else "",
            "PRESSROOM_FAILPOINTS_SEED": str(self.seed),
        }
