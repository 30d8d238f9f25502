"""One run: load, harm, settle, audit."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import cast as casting
from tests.chaos import evidence as found
from tests.chaos import load, script, table
from tests.chaos.approvers import Approvers
from tests.chaos.arena import Arena, arena
from tests.chaos.audience import Audience
from tests.chaos.audit import Verdict, audit
from tests.chaos.client import Client
from tests.chaos.diary import Diary
from tests.chaos.dropper import Dropper
from tests.chaos.neighbour import Neighbour
from tests.chaos.options import Options
from tests.chaos.people import Mender
from tests.chaos.troupe import Troupe
from tests.chaos.wire_faults import Feeder
from tests.servers.receiver import listening, receiving
from tests.timing import delays

Say = Callable[[str], None]
#: A status change that lands so long after it was sent (seconds): its worker has given it up.
LATE = 15.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    verdict: Verdict
    evidence: found.Evidence
    report: str


def run(options: Options, folder: Path, say: Say = print) -> Outcome:
    with (
        listening(lambda url: Audience(url, [])) as audience,
        receiving() as mute,
        arena(options, folder) as place,
    ):
        going = _Run(place, audience, mute.url, say)
        try:
            return going.go()
        finally:
            going.troupe.end()


class _Run:
    def __init__(self, place: Arena, audience: Audience, mute_url: str, say: Say) -> None:
        self._arena, self._audience, self._say = place, audience, say
        self._folder = place.stack.home.parent
        self._mute_url = place.way_to(mute_url)
        self._options = place.options
        self._diary = Diary()
        self._dice = random.Random(self._options.seed)
        self._cast = list(casting.members(self._options.accounts))
        facts = place.facts()
        self._client = Client(facts["web_url"], facts["admin_key"])
        self.troupe = Troupe(place, self._client, self._cast, self._diary)
        self._neighbour = Neighbour(
            place,
            random.Random(f"neighbour {self._options.seed}"),
            {member.org for member in self._cast if casting.is_limited(member.org)},
        )
        self._accepted = load.Accepted()
        self._dropper: Dropper | None = None

    def go(self) -> Outcome:
        casting.open_orgs(self._arena.sandbox, self._cast)
        self._audience.subscribe(self._client, self._arena.way_to(self._audience.url))
        options = self._options
        schedules = 0 if options.careless else options.schedules
        self.troupe.arrive(self._dice, schedules=schedules, mute_url=self._mute_url)
        bulks = load.plan(self._dice, self._cast, posts=options.posts, seconds=options.seconds)
        scenes = [] if options.careless else script.write(self._dice, options)
        self._say(f"seed {options.seed}: {script.summary(scenes)}")
        feeder, mender = self._feeder(), Mender(self.troupe.people)
        approvers = Approvers(self._client, random.Random(f"approvers {options.seed}"), self._diary)
        watcher = _Watcher(self._arena, self._say)
        lateness = delays.Calls(self._arena.api_url, pause=0.1)
        others = self._others()
        for thread in (feeder, mender, watcher, approvers, lateness, *others):
            thread.start()
        self._perform(bulks, scenes)
        feeder.stop()
        for other in others:
            other.stop()
        settled_in = self._settle()
        approvers.stop()
        self._diary.write(self._folder / "diary.txt")
        for thread in (mender, watcher, lateness):
            thread.stop()
        return self._judge(refused=feeder.refused, settled_in=settled_in)

    def _others(self) -> list[Neighbour | Dropper]:
        """Who else is about until the injection is over."""
        dice = random.Random(f"proxy {self._options.seed}")
        proxy = self._arena.proxy
        self._dropper = Dropper(proxy, dice) if proxy else None
        others = [] if self._options.careless else [self._neighbour]
        return [*others, *([self._dropper] if self._dropper else [])]

    def _feeder(self) -> Feeder:
        if self._options.careless:  # what a worker that does not park must stumble over
            self._arena.sandbox.add_fault(
                "hang_then_do", route="PUT /posts/:id/status", times=3, seconds=LATE
            )
        return Feeder(
            self._arena.sandbox,
            random.Random(f"faults {self._options.seed}"),
            sorted({member.org for member in self._cast}),
            total=self._options.faults,
            seconds=self._options.seconds,
        )

    def _perform(self, bulks: list[load.Bulk], scenes: list[script.Scene]) -> None:
        playing = threading.Thread(target=script.play, args=(scenes, self.troupe.acts()))
        playing.start()
        load.run(self._client, bulks, self._accepted, seconds=self._options.seconds)
        playing.join()
        self.troupe.close()

    def _settle(self) -> float:
        began = time.monotonic()
        self._audience.patient = True
        found.wait_until_settled(
            self._arena, self._audience, self._diary, patience=self._options.patience
        )
        return time.monotonic() - began

    def _judge(self, *, refused: int, settled_in: float) -> Outcome:
        evidence = found.collect(
            self._arena,
            self._accepted,
            self.troupe.timetable,
            self._neighbour.created,
            self._audience,
        )
        verdict = audit(evidence, self._cast, self._diary)
        lines = [
            table.table(
                self._arena,
                evidence,
                verdict,
                self._diary,
                refused=refused,
                settled_in=settled_in,
                besides=self._besides(),
            ),
            *table.offenders(evidence, verdict),
        ]
        return Outcome(verdict=verdict, evidence=evidence, report="\n".join(lines))

    def _besides(self) -> list[tuple[str, object]]:
        """More rows of the table."""
        rows: list[tuple[str, object]] = [
            ("workers that vanished and stand to the end", self.troupe.vanish.still_there())
        ]
        if self._dropper and self._arena.proxy:
            met = ", ".join(f"{number} {kind}" for kind, number in self._dropper.met.most_common())
            tunnels = len(self._arena.proxy.tunnels)
            rows.append(("tunnels through the proxy; its faults", f"{tunnels}; {met}"))
        return rows


class _Watcher(threading.Thread):
    """Says every fifteen seconds where the posts stand."""

    def __init__(self, place: Arena, say: Say) -> None:
        super().__init__(daemon=True)
        self._arena, self._say = place, say
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(15):
            self._say(found.progress(self._arena))

    def stop(self) -> None:
        self._over.set()
        self.join()
