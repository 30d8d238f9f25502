"""The dropper: has a proxy refuse, hang, babble, cut tunnels and lose replies, by chance."""

import random
import threading
from collections import Counter

from tests.servers.connect_proxy import FAULTS, ConnectProxy


class Dropper(threading.Thread):
    """A tunnel every few seconds, until it is told to stop. `met`: how often each kind was set."""

    def __init__(self, proxy: ConnectProxy, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self._proxy = proxy
        self._rng = rng
        self._over = threading.Event()
        self.met: Counter[str] = Counter()

    def run(self) -> None:
        while not self._over.wait(self._rng.uniform(1, 6)):
            kind = self._rng.choice(FAULTS)
            self._proxy.fault(kind)
            self.met[kind] += 1

    def stop(self) -> None:
        self._over.set()
        self.join()
